#!/usr/bin/env bash
# make pictures: what the window shows at every stage of a newcomer's jobs, for the documentation, and what each job took.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=${PICTURES:-/tmp/al-pose-pictures}
for size in ${SIZES:-1600x1000 1366x768}; do
    # Settings and a sample of its own: nothing of what somebody has chosen, opened or labelled shows in a picture.
    own=$work/$size
    rm -rf "$own"
    mkdir -p "$own"
    env XDG_CONFIG_HOME="$own/config" XDG_CACHE_HOME="$own/cache" NAPARI_CONFIG="$own/config/napari.yaml" SCREEN="$size" \
        scripts/on-screen.sh --virtual .venv/bin/napari-al-pose demo --play --jobs --output "$own" |
        tee "$work/jobs-$size.jsonl"
done
.venv/bin/python scripts/pictures.py "$work" docs/pictures
