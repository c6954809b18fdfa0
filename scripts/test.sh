#!/usr/bin/env bash
# All tests, in two halves side by side: those with a window, on a screen of their own, and the others.
# With arguments: pytest with these, alone. With COVERAGE set, prints which lines the tests reach.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run=(.venv/bin/python)
if [[ -n ${COVERAGE:-} ]]; then
    .venv/bin/coverage erase
    run+=(-m coverage run)
fi
readonly PYTEST=("${run[@]}" -m pytest)
readonly WINDOW=(tests/gui tests/e2e tests/test_readers.py)

if [[ $# -gt 0 ]]; then
    exec scripts/on-screen.sh --virtual "${PYTEST[@]}" "$@"
fi

others=()
for path in tests/*; do
    [[ " ${WINDOW[*]} " == *" $path "* || $path == */conftest.py || $path == */__pycache__ ]] || others+=("$path")
done
log=$(mktemp)
trap 'kill "$half" 2>/dev/null || true; rm -f "$log"' EXIT
"${PYTEST[@]}" -p no:cacheprovider -p no:napari -p no:npe2 -p no:pytest-qt --durations=15 "${others[@]}" >"$log" 2>&1 &
half=$!
failed=0
scripts/on-screen.sh --virtual "${PYTEST[@]}" --durations=15 "${WINDOW[@]}" || failed=1
printf '%s\n' "The window's half is done; the other half:"
wait "$half" || failed=1
cat "$log"
if [[ -n ${COVERAGE:-} ]]; then
    .venv/bin/coverage combine -q
    .venv/bin/coverage report
fi
exit "$failed"
