#!/usr/bin/env bash
# Plays the runs of docs/effort-protocol.md, going on exactly where they stopped, and writes the reports to docs/results/.
#
#   scripts/effort.sh [MINUTES] [JOBS] [NAME...]
#
# MINUTES a data set (default 10; 0 plays to the end), JOBS processes (default 2), NAME of openfield, reaching, lips,
# synthetic (default these four), or one of them after dev-: development, whose results stay in build/. WORKFLOWS names
# others than from-scratch,prefilled,shipped. NAPARI_AL_POSE_DATA is the folder with the data. What is computed once lies
# in build/effort/, and can be deleted; the rounds are packed in docs/results/effort-NAME/rounds.tar.xz.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-10} jobs=${2:-2}
shift $(($# < 2 ? $# : 2))
names=("${@:-}")
[[ -n ${names[0]} ]] || names=(openfield reaching lips synthetic)
python=${PYTHON:-.venv/bin/python}
data=${NAPARI_AL_POSE_DATA:?is not set: the folder with openfield, Reaching and lips}
common=(--workflows "${WORKFLOWS:-from-scratch,prefilled,shipped}" --steps 500)
common+=(--jobs "$jobs" --minutes "$minutes" --cache build/effort/cache)
export OMP_NUM_THREADS=1

simulate() {
    local name=$1 output=$2 seeds=$3 folds=$4
    case $name in
    openfield) set -- "$data/openfield-Pranav-2018-10-30" --folds 4 --budgets 5,10,20,40 ;;
    reaching) set -- "$data/Reaching-Mackenzie-2018-08-30" --folds 4 --budgets 5,10,20 --rotation 20 --long-side 128 ;;
    lips) set -- "$data/lips" --folds 3 --budgets 5,10,20,40 --rotation 20 ;;
    synthetic) set -- "synthetic:$5" --folds 3 --budgets 5,10,20,40 --long-side 192 ;;
    *)
        echo "Expected openfield, reaching, lips, synthetic, or one of them after dev-, got $name." >&2
        exit 2
        ;;
    esac
    mkdir -p "$output"
    "$python" -m napari_al_pose simulate "$@" "${common[@]}" --seeds "$seeds" --use-folds "$folds" --output "$output"
}

for name in "${names[@]}"; do
    if [[ $name == dev-* ]]; then
        folds=0
        [[ $name == dev-synthetic ]] && folds=0,1,2
        simulate "${name#dev-}" "build/effort/$name" 100:105 "$folds" 1
        continue
    fi
    work=build/effort/$name out=docs/results/effort-$name folds=1,2,3
    [[ $name == lips ]] && folds=1,2
    [[ $name == synthetic ]] && folds=0,1,2
    # Rounds that were committed are not played again.
    mkdir -p "$work"
    if [[ ! -d $work/rounds && -f $out/rounds.tar.xz ]]; then tar -xJf "$out/rounds.tar.xz" -C "$work"; fi
    simulate "$name" "$work" 20:30 "$folds" 0
    mkdir -p "$out"
    tar --sort=name --mtime=2000-01-01 --owner=0 --group=0 -cJf "$out/rounds.tar.xz" -C "$work" protocol.json rounds
    cp "$work/report.html" "$work/summary.json" "$work/protocol.json" "$out/"
    gzip -9nc "$work/rounds.csv" >"$out/rounds.csv.gz"
done
"$python" scripts/effort_picture.py
