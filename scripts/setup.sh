#!/usr/bin/env bash
# Sets the project up in .venv: system libraries where it may install them, a virtual environment, the package with
# its extras. What is there already costs nothing; what was left half-done is made again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly VENV=.venv
readonly STAMP=$VENV/al-pose-setup   # says what the finished environment was made from
readonly UNFINISHED=.venv.unfinished # lies beside an environment that is being made

# What Qt's xcb plugin and OpenGL need, and a virtual screen for machines without one.
readonly PACKAGES=(
    libegl1 libgl1 libglx-mesa0 libgl1-mesa-dri libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
    libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1
    libglib2.0-0 xvfb xauth
)

say() { printf '%s\n' "$*" >&2; }

stop() {
    say "setup: $*"
    exit 1
}

missing_packages() {
    local installed
    # Newer Debian and Ubuntu releases call some of them <name>t64.
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${PACKAGES[@]}" "${PACKAGES[@]/%/t64}" 2>/dev/null |
        sed -n 's/\(t64\)\{0,1\} installed$//p' || true)
    local package
    for package in "${PACKAGES[@]}"; do
        grep -qxF "$package" <<<"$installed" || printf '%s\n' "$package"
    done
}

install_packages() {
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
            stop "please install what Qt and the virtual environment need, then run this again:" \
                "sudo apt-get install $*"
        as_root=(sudo -n)
    fi
    say "Installing system packages: $*"
    "${as_root[@]}" apt-get update -q >&2 || say "setup: apt-get update failed; trying with the package lists as they are"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2 ||
        stop "apt-get could not install: $*. Install them by hand, then run this again."
}

set_up_system() {
    [[ $(uname) == Linux ]] || return 0
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        works || has_venv_module || stop "$python has no 'venv' module. Install it, then run this again."
        command -v Xvfb >/dev/null || [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] ||
            say "setup: there is no apt-get here; without a display, install Xvfb, xauth and Mesa's OpenGL yourself."
        return 0
    fi
    local missing
    mapfile -t missing < <(missing_packages)
    works || has_venv_module || missing+=(python3-venv)
    [[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    stop "expected Python 3.11, 3.12 or 3.13, found none. Install it (Debian 12: sudo apt-get install python3)," \
        "or name it: make setup PYTHON=/path/to/python3.11"
}

# What an environment depends on: a change of any makes it out of date.
fingerprint() {
    { pwd -P && cat pyproject.toml constraints/tested.txt; } | cksum
}

works() { [[ -x $VENV/bin/python ]] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; }

has_venv_module() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

make_venv() {
    has_venv_module || stop "$python has no 'venv' module. Install the package that brings it, then run this again."
    say "Making the virtual environment with $("$python" --version)"
    "$python" -m venv "$VENV" >&2
}

discard_unfinished() {
    if [[ -e $UNFINISHED ]]; then
        rm -rf "$VENV" "$UNFINISHED"
        say "setup: not finished; nothing was left behind. Run it again to try again."
    fi
}

set_up_python() {
    if [[ -e $UNFINISHED ]] || ! works || { [[ -f $STAMP ]] && [[ $(sed -n 2p "$STAMP") != "$(pwd -P)" ]]; }; then
        rm -rf "$VENV"
        trap discard_unfinished EXIT
        trap 'exit 130' INT TERM
        touch "$UNFINISHED"
        make_venv
    fi
    rm -f "$STAMP"
    say "Installing napari-al-pose and its extras; the first time this takes some minutes."
    "$VENV/bin/python" -m pip install --disable-pip-version-check -q -c constraints/tested.txt -e ".[all,dev,docs]" >&2 ||
        stop "pip could not install the package; its message is above."
    { fingerprint && pwd -P; } >"$STAMP.new"
    mv "$STAMP.new" "$STAMP"
    rm -f "$UNFINISHED"
}

python=$(find_python)
set_up_system
if [[ -e $UNFINISHED || ! -f $STAMP || $(head -n 1 "$STAMP") != "$(fingerprint)" ]] || ! works; then
    set_up_python
fi
