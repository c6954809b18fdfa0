#!/usr/bin/env bash
# Plays the runs of docs/protocol.md, going on exactly where they stopped, and writes the reports to docs/results/.
#
#   scripts/results.sh [MINUTES] [JOBS] [NAME...]
#
# MINUTES a data set (default 4; 0 plays to the end), JOBS processes (default 2), NAME of synthetic, openfield, reaching
# (default these three), or dev-synthetic, dev-openfield, dev-reaching: development, whose results stay in build/.
# EXTRA has further arguments, as --no-sanity. NAPARI_AL_POSE_DATA is the folder with DeepLabCut's two examples. What is
# computed once lies in build/results/, and can be deleted; the rounds are packed in docs/results/NAME/rounds.tar.xz.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-4} jobs=${2:-2}
shift $(($# < 2 ? $# : 2))
names=("${@:-}")
[[ -n ${names[0]} ]] || names=(synthetic openfield reaching)
python=${PYTHON:-.venv/bin/python}
data=${NAPARI_AL_POSE_DATA:?is not set: the folder with the openfield and Reaching projects}
common=(--bfloat16 --steps 500 --jobs "$jobs" --minutes "$minutes" --cache build/results/cache)
reported=(--strategies hybrid --seeds 10:20)
studied=(--no-sanity --seeds 100:104 --strategies)
studied+=(hybrid,hybrid+trust00,hybrid+trust100,hardest,random+dedup,kmeans,mpe)
read -ra extra <<<"${EXTRA:-}"
export OMP_NUM_THREADS=1

play() {
    local work=build/results/$1 out=docs/results/$1
    shift
    mkdir -p "$work" "$out"
    # Rounds that were committed are not played again.
    if [[ ! -d $work/rounds && -f $out/rounds.tar.xz ]]; then tar -xJf "$out/rounds.tar.xz" -C "$work"; fi
    "$python" -m napari_al_pose simulate "$@" "${reported[@]}" "${common[@]}" "${extra[@]}" --output "$work"
    tar --sort=name --mtime=2000-01-01 --owner=0 --group=0 -cJf "$out/rounds.tar.xz" -C "$work" protocol.json rounds
    cp "$work/report.html" "$work/summary.json" "$work/protocol.json" "$out/"
    gzip -9nc "$work/rounds.csv" >"$out/rounds.csv.gz"
}

study() {
    local work=build/results/$1
    shift
    "$python" -m napari_al_pose simulate "$@" "${studied[@]}" "${common[@]}" "${extra[@]}" --output "$work"
}

openfield=("$data/openfield-Pranav-2018-10-30" --folds 4 --budgets 5,10,20,40)
reaching=("$data/Reaching-Mackenzie-2018-08-30" --folds 4 --budgets 5,10,20,35 --rotation 20 --long-side 128 --target 20)
synthetic=(--folds 3 --budgets 10,20,40,80 --long-side 192)

for name in "${names[@]}"; do
    case $name in
    synthetic) play synthetic synthetic:0 "${synthetic[@]}" ;;
    openfield) play openfield "${openfield[@]}" --use-folds 1,2,3 ;;
    reaching) play reaching "${reaching[@]}" --use-folds 1,2,3 ;;
    dev-synthetic) study dev-synthetic synthetic:1 "${synthetic[@]}" ;;
    dev-openfield) study dev-openfield "${openfield[@]}" --use-folds 0 ;;
    dev-reaching) study dev-reaching "${reaching[@]}" --use-folds 0 ;;
    *)
        echo "Expected synthetic, openfield, reaching, or one of them after dev-, got $name." >&2
        exit 2
        ;;
    esac
done
