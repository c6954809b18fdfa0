#!/usr/bin/env bash
# Runs a command on a virtual screen: always with --virtual (where there is Xvfb), else only without a display.
# SCREEN=1366x768 is its size.
set -euo pipefail

virtual=
if [[ ${1:-} == --virtual ]]; then
    virtual=yes
    shift
fi
if [[ $(uname) != Linux ]] || { [[ -z $virtual ]] && [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; }; then
    exec "$@"
fi
if ! command -v xvfb-run >/dev/null; then
    [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] && exec "$@"
    printf '%s\n' "There is no display and no xvfb-run. Install Xvfb (Debian: sudo apt-get install xvfb xauth)." >&2
    exit 1
fi
# Qt would rather draw on a Wayland display than on the virtual one.
unset WAYLAND_DISPLAY
exec xvfb-run -a -s "-screen 0 ${SCREEN:-1600x1200}x24" "$@"
