#!/usr/bin/env bash
# Plays the strategies that may win on long recordings, on development data, going on exactly where they stopped.
#
#   scripts/selection.sh [MINUTES] [JOBS]
#
# MINUTES (default 20; 0 plays to the end), JOBS processes (default 2). STRATEGIES names others than
# uniform,uherding,hybrid,dlc_kmeans,best, SEEDS others than 100:102, POOL another number of frames than 1200. What is
# computed once lies in build/selection/ and can be deleted; the rounds are packed in docs/results/longform-dev/, and
# scripts/strategy_results.py puts what they say into the table that the window reads.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-20} jobs=${2:-2}
python=${PYTHON:-.venv/bin/python}
work=build/selection/longform-dev out=docs/results/longform-dev
export OMP_NUM_THREADS=1
mkdir -p "$work" "$out"
# Rounds that were committed are not played again.
if [[ ! -d $work/rounds && -f $out/rounds.tar.xz ]]; then tar -xJf "$out/rounds.tar.xz" -C "$work"; fi
"$python" -m napari_al_pose simulate longform:1 --strategies "${STRATEGIES:-uniform,uherding,hybrid,dlc_kmeans,best}" \
    --no-sanity --candidates 10 --budgets 10,20,40 --seeds "${SEEDS:-100:102}" --folds 3 --steps 300 --bfloat16 \
    --long-side 192 --pool-size "${POOL:-1200}" --test-size 400 --jobs "$jobs" --minutes "$minutes" \
    --cache build/selection/cache --output "$work"
tar --sort=name --mtime=2000-01-01 --owner=0 --group=0 -cJf "$out/rounds.tar.xz" -C "$work" protocol.json rounds
cp "$work/report.html" "$work/summary.json" "$work/protocol.json" "$out/"
"$python" scripts/strategy_results.py
