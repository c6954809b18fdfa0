#!/usr/bin/env bash
# make demo: the window on the sample project or on $PROJECT; without a display the sample's demo plays itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

demo=(.venv/bin/napari-al-pose demo)
if [[ -n ${PROJECT:-} ]]; then
    exec "${demo[@]}" "$PROJECT"
elif [[ ${DATASET:-synthetic} != synthetic ]]; then
    exec "${demo[@]}" --dataset "$DATASET"
elif [[ $(uname) == Linux && -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
    exec scripts/on-screen.sh "${demo[@]}" --play --output demo-output
fi
exec "${demo[@]}"
