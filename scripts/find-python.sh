#!/bin/sh
# Prints the path of a Python >= 3.11 that can make virtual environments, or says what to install.
# $PYTHON, when set, is the only candidate. With the argument `mint` the Python is older than 3.13:
# the mint's pinned coincurve has no wheels for later ones, and building it needs a compiler.
set -eu

NEWEST='(99,)'
if [ "${1:-}" = mint ]; then
    NEWEST='(3, 13)'
fi
FITS="assert (3, 11) <= sys.version_info < $NEWEST; print(sys.executable)"
PROBE="import sys, venv, ensurepip; $FITS"
VERSION="import sys; $FITS"

first_match() {
    # $1: a probing program that prints its interpreter; the rest: candidates.
    # A pyenv shim exists for versions that are not selected: only running it tells.
    probe=$1
    shift
    for candidate in "$@"; do
        if path=$("$candidate" -c "$probe" 2>/dev/null) && [ -n "$path" ]; then
            printf '%s\n' "$path"
            return 0
        fi
    done
    return 1
}

find_python() {
    if [ -n "${PYTHON:-}" ] && first_match "$1" "$PYTHON"; then
        return 0
    elif [ -n "${PYTHON:-}" ] && [ "$NEWEST" = '(99,)' ]; then
        return 1
    fi
    first_match "$1" python3 python3.12 python3.11 python3.13 /usr/bin/python3
}

if find_python "$PROBE"; then
    exit 0
fi

if ! bare=$(find_python "$VERSION") && [ "$NEWEST" != '(99,)' ]; then
    echo "The mint of the demo needs Python 3.11 or 3.12 beside the one you have." >&2
    echo "Install one, or use your own mint: peer2prompt demo --mint URL" >&2
    exit 1
elif [ -z "$bare" ]; then
    echo "No Python >= 3.11 was found. Install one (Debian 12: apt-get install python3 python3-venv)," >&2
    echo "or name it: make PYTHON=/path/to/python3 ..." >&2
    exit 1
fi

version=$("$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
package=python$version-venv
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Python $version has no venv module: installing the system package $package" >&2
    apt-get update -q >&2 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package" >&2
    if find_python "$PROBE"; then
        exit 0
    fi
fi
echo "Python $version at $bare cannot make virtual environments (modules venv and ensurepip)." >&2
echo "Install them with: sudo apt-get install $package" >&2
exit 1
