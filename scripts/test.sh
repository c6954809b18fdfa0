#!/usr/bin/env bash
# All tests, by two workers side by side: one begins with those that open a window, on a screen of their own, and then helps
# with the others. With arguments: pytest with these, alone. With COVERAGE set, prints which lines the tests reach.
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

# Few parts, since each starts a process; the longest first, since whoever is free takes the next.
parts=("tests/engine" "tests/pose tests/simulation" "tests/video tests/project" "tests/exchange tests/formats tests/samples")
others=()
for path in tests/*; do
    [[ " ${WINDOW[*]} ${parts[*]} " == *" $path "* || $path == */conftest.py || $path == */leaks.py ||
        $path == */__pycache__ ]] || others+=("$path")
done
parts+=("${others[*]}")
# Each worker keeps to cores of its own, where that can be said: two trainings on the same cores wait for each other.
halves=($(.venv/bin/python -c "
import os
cores = [str(core) for core in sorted(getattr(os, 'sched_getaffinity', lambda _: [])(0))]
print(','.join(cores[::2]), ','.join(cores[1::2])) if len(cores) > 1 else print()"))
keep() {
    if [[ ${#halves[@]} -eq 2 ]] && command -v taskset >/dev/null; then
        taskset -c "${halves[$1]}" "${@:2}"
    else
        "${@:2}"
    fi
}

logs=$(mktemp -d)
export NAPARI_AL_POSE_TEST_SAMPLES=$logs/samples

# Does the parts that nobody has taken yet, on one half of the cores.
work() {
    local failed=0 i part half=$1
    for i in "${!parts[@]}"; do
        mkdir "$logs/$i" 2>/dev/null || continue
        read -ra part <<<"${parts[$i]}"
        keep "$half" "${PYTEST[@]}" -p no:cacheprovider -p no:napari -p no:npe2 -p no:pytest-qt --durations=15 "${part[@]}" \
            >"$logs/$i/log" 2>&1 || failed=1
    done
    return "$failed"
}

set -m # the other worker gets a process group, so that it ends with all that it started
work 1 &
other=$!
set +m
trap 'kill -- "-$other" 2>/dev/null || true; rm -rf "$logs"' EXIT
failed=0
keep 0 scripts/on-screen.sh --virtual "${PYTEST[@]}" --durations=15 "${WINDOW[@]}" || failed=1
work 0 || failed=1
wait "$other" || failed=1
printf '%s\n' "The tests without a window:"
cat "$logs"/*/log
if [[ -n ${COVERAGE:-} ]]; then
    .venv/bin/coverage combine -q
    .venv/bin/coverage report
fi
exit "$failed"
