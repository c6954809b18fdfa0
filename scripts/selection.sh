#!/usr/bin/env bash
# Plays the runs of docs/selection-protocol.md, going on exactly where they stopped, and writes what they say to docs/results/.
#
#   scripts/selection.sh [MINUTES] [JOBS] [NAME...]
#
# MINUTES a data set (default 20; 0 plays to the end), JOBS processes (default 2), NAME of dev (default: development, on
# longform:1), reported (all of longform, lips, openfield, reaching), or one of these four. STRATEGIES names others than
# those of the protocol, SEEDS and FOLDS others. NAPARI_AL_POSE_DATA is the folder with the real data. What is computed once
# lies in build/selection/ and can be deleted; the rounds are packed in docs/results/selection-NAME/, and
# scripts/strategy_results.py puts what they say into the table that the window reads.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-20} jobs=${2:-2}
shift $(($# < 2 ? $# : 2))
names=("${@:-dev}")
[[ ${names[0]} != reported ]] || names=(longform lips openfield reaching)
python=${PYTHON:-.venv/bin/python}
arms=${STRATEGIES:-uniform,hybrid,uherding,refine,mistakes,policy,dlc_kmeans,dlc_uncertain,sleap_images,sleap_scores,best}
export OMP_NUM_THREADS=1

for name in "${names[@]}"; do
    data=${NAPARI_AL_POSE_DATA:-} out=docs/results/selection-$name
    seeds=${SEEDS:-30:40} folds=${FOLDS:-1,2,3} each=--folds-in-turn
    case $name in
    dev | longform)
        folds=${FOLDS:-0,1,2}
        set -- longform:0 --folds 3 --budgets 10,20,40 --steps 300 --long-side 192 --pool-size 1200 --test-size 400
        if [[ $name == dev ]]; then
            seeds=${SEEDS:-100:103} each=
            set -- longform:1 "${@:2}"
        fi
        ;;
    lips)
        folds=${FOLDS:-1,2}
        set -- "$data/lips" --folds 3 --budgets 5,10,20,40 --steps 500 --rotation 20
        ;;
    openfield) set -- "$data/openfield-Pranav-2018-10-30" --folds 4 --budgets 5,10,20,40 --steps 500 ;;
    reaching)
        set -- "$data/Reaching-Mackenzie-2018-08-30" --folds 4 --budgets 5,10,20 --steps 500 --rotation 20 --long-side 128
        ;;
    *)
        echo "Expected dev, reported, longform, lips, openfield or reaching, got $name." >&2
        exit 2
        ;;
    esac
    work=build/selection/$name
    mkdir -p "$work" "$out"
    # Rounds that were committed are not played again.
    if [[ ! -d $work/rounds && -f $out/rounds.tar.xz ]]; then tar -xJf "$out/rounds.tar.xz" -C "$work"; fi
    "$python" -m napari_al_pose simulate "$@" --strategies "$arms" --no-sanity --candidates 20 --seeds "$seeds" \
        --use-folds "$folds" $each --jobs "$jobs" --minutes "$minutes" --cache build/selection/cache --output "$work"
    tar --sort=name --mtime=2000-01-01 --owner=0 --group=0 -cJf "$out/rounds.tar.xz" -C "$work" protocol.json rounds
    cp "$work/report.html" "$work/summary.json" "$work/protocol.json" "$out/"
done
"$python" scripts/strategy_results.py
