#!/usr/bin/env bash
# Other people's programs read what this one writes, each in an environment of its own, made once.
#   scripts/interop.sh [deeplabcut] [deeplabcut-snapshots] [deeplabcut-top-down] [sleap-io] [lightning-pose] [movement] [oldest] [newest]
# Without names, all of them. INTEROP names the folder of the environments and may hold several of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly FOLDER=${INTEROP:-../peers}
readonly PYTHON=${PYTHON:-python3}
# The processor's own build, from the files at hand: without it pip brings gigabytes of CUDA.
readonly TORCH=(torch==2.14.1 torchvision==0.29.1)
# What the formats and the project folder need, without the window and the engine.
readonly IO=(dask[array] pillow pooch pydantic ruamel.yaml scikit-learn threadpoolctl tables tqdm av hypothesis pytest)

say() { printf '%s\n' "$*" >&2; }

# environment NAME PACKAGE...: makes it, or costs nothing when it is there with the same packages.
environment() {
    local name=$1 place=$FOLDER/interop-$1
    shift
    if [[ -f $place/made-of && $(<"$place/made-of") == "$*" ]]; then
        return 0
    fi
    say "Making the environment $place"
    rm -rf "$place"
    "$PYTHON" -m venv "$place"
    local step=()
    for word in "$@" --; do
        if [[ $word == -- ]]; then
            "$place/bin/python" -m pip install --disable-pip-version-check -q "${step[@]}" 2>/dev/null ||
                "$place/bin/python" -m pip install --disable-pip-version-check "${step[@]}" >&2
            step=()
        else
            step+=("$word")
        fi
    done
    printf '%s' "$*" >"$place/made-of"
}

make_environment() {
    case $1 in
    deeplabcut | deeplabcut-snapshots | deeplabcut-top-down) environment deeplabcut "${TORCH[@]}" -- "${TORCH[@]}" deeplabcut==3.0.2 ;;
    sleap-io) environment sleap-io sleap-io==0.9.5 ;;
    # Its CSV reader with what that imports: the whole package wants NVIDIA's DALI and a GPU.
    lightning-pose) environment lightning-pose "${TORCH[@]}" -- --no-deps lightning-pose==2.4.3 -- pandas jaxtyping omegaconf ;;
    movement) environment movement movement==0.15.0 ;;
    oldest) environment oldest "${IO[@]}" numpy==1.26.4 pandas==2.2.3 sleap-io==0.9.5 -- --no-deps -e . ;;
    newest) environment newest "${IO[@]}" numpy pandas sleap-io -- --no-deps -e . ;;
    *)
        say "interop: expected deeplabcut, deeplabcut-snapshots, deeplabcut-top-down, sleap-io, lightning-pose," \
            "movement, oldest or newest, got $1" && exit 2
        ;;
    esac
}

# snapshots PYTHON FOLDER: DeepLabCut trains two tiny networks; both programs must read the same poses off them.
snapshots() {
    local network data=${NAPARI_AL_POSE_DATA:-../shared/data}/openfield-Pranav-2018-10-30
    [[ -d $data ]] || { say "interop: snapshots are trained on openfield; NAPARI_AL_POSE_DATA names no folder with it" && return 1; }
    for network in resnet_50 hrnet_w18; do
        "$1" scripts/interop/train_deeplabcut_snapshot.py "$data" "$2/snapshots/$network" "$network" >&2 || return 1
    done
    .venv/bin/python scripts/interop/with_deeplabcut_snapshots.py "$2"/snapshots/*
}

# top_down PYTHON FOLDER: DeepLabCut writes snapshots of its top-down networks and of SuperAnimal's; both programs must
# read the same poses off the same boxes.
top_down() {
    local network data=${NAPARI_AL_POSE_DATA:-../shared/data}/openfield-Pranav-2018-10-30
    [[ -d $data ]] || { say "interop: images are openfield's; NAPARI_AL_POSE_DATA names no folder with it" && return 1; }
    for network in superanimal_{topviewmouse_hrnet_w32,topviewmouse_resnet_50,quadruped_hrnet_w32,quadruped_rtmpose_s} \
        superanimal_bird_resnet_50 top_down_hrnet_w32 top_down_resnet_50 rtmpose_m; do
        "$1" scripts/interop/write_top_down_snapshots.py "$data" "$2/top-down/$network" "$network" >&2 || return 1
    done
    .venv/bin/python scripts/interop/with_top_down_snapshots.py "$data" "$2"/top-down/*
}

main() {
    local programs=("$@") program failed=()
    [[ ${#programs[@]} -gt 0 ]] || programs=(deeplabcut deeplabcut-snapshots deeplabcut-top-down sleap-io lightning-pose movement oldest newest)
    mkdir -p "$FOLDER"
    for program in "${programs[@]}"; do
        make_environment "$program"
    done
    work=$(mktemp -d) # not local: the trap runs after this function
    trap 'rm -rf "$work"' EXIT
    .venv/bin/python scripts/interop/write_files.py "$work"
    for program in "${programs[@]}"; do
        local python=$FOLDER/interop-$program/bin/python
        case $program in
        oldest | newest)
            # The formats under the oldest and the newest numpy and pandas they may meet.
            "$python" -c 'import numpy, pandas; print("numpy", numpy.__version__, "pandas", pandas.__version__)'
            "$python" -m pytest -q -p no:cacheprovider tests/formats tests/exchange || failed+=("$program")
            ;;
        deeplabcut-snapshots) snapshots "$FOLDER/interop-deeplabcut/bin/python" "$work" || failed+=("$program") ;;
        deeplabcut-top-down) top_down "$FOLDER/interop-deeplabcut/bin/python" "$work" || failed+=("$program") ;;
        *) "$python" "scripts/interop/with_${program//-/_}.py" "$work" || failed+=("$program") ;;
        esac
    done
    [[ ${#failed[@]} -eq 0 ]] || { say "interop: failed with ${failed[*]}" && exit 1; }
}

main "$@"
