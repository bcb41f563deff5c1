#!/bin/sh
# Builds the virtual environments, each only when its inputs changed:
#   app       .venv           the program, editable
#   dev       .venv           and its test and lint tools
#   mint      .venv-mint      the Nutshell mint
#   gpu       .venv           and the llama.cpp bindings, compiled once (scripts/llama-wheel.sh)
#   provider  .venv-provider  the OpenAI-compatible stand-in provider and its model
#   tools     .venv-tools     programs of others that the tests point at the local API
# Usage: scripts/env.sh NAME...   (several names are built side by side)
# A stamp is written last, so an interrupted build is taken up again by the next call.
set -eu
cd "$(dirname "$0")/.."
ROOT=$PWD
LOGS=.cache/env
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

folder_of() {
    case $1 in
    app | dev | gpu) echo .venv ;;
    mint) echo .venv-mint ;;
    provider) echo .venv-provider ;;
    tools) echo .venv-tools ;;
    *)
        echo "unknown environment '$1' (app, dev, gpu, mint, provider, tools)" >&2
        return 2
        ;;
    esac
}

inputs_of() {
    case $1 in
    app | dev) echo "pyproject.toml" ;;
    gpu) echo "pyproject.toml scripts/llama-wheel.sh scripts/constraints/gpu.txt scripts/gpu/*" ;;
    mint) echo "scripts/constraints/mint.txt" ;;
    provider) echo "scripts/constraints/provider.txt" ;;
    tools) echo "scripts/constraints/tools.txt" ;;
    esac
}

# What the environment was built from: the inputs, this script, the place, the wanted interpreter.
fingerprint() {
    # shellcheck disable=SC2046 # word splitting of the file list is wanted
    {
        cat scripts/env.sh $(inputs_of "$1")
        echo "$ROOT ${PYTHON:-}"
    } | cksum
}

is_fresh() {
    folder=$(folder_of "$1")
    [ -x "$folder/bin/python" ] && [ -f "$folder/.stamp-$1" ] &&
        [ "$(cat "$folder/.stamp-$1")" = "$(fingerprint "$1")" ]
}

# Keeps the log whole and shows one short line per step.
show() {
    tee -a "$2" | awk -v name="$1" '
        /^Collecting /            { printf "  %-8s %s\n", name, $2; fflush(); next }
        /^Obtaining /             { printf "  %-8s %s\n", name, $0; fflush(); next }
        /^Installing collected/   { printf "  %-8s installing %d packages\n", name, NF - 3; fflush(); next }
        /^(model|error|ERROR)/    { printf "  %-8s %s\n", name, $0; fflush() }'
}

steps() {
    folder=$1
    pip="$ROOT/$folder/bin/python -m pip install --progress-bar off"
    case $2 in
    app) $pip -e . ;;
    dev) $pip -e '.[dev]' ;;
    gpu)
        wheels=$(sh scripts/llama-wheel.sh "$ROOT/$folder/bin/python") &&
            $pip --find-links "$wheels" --only-binary llama-cpp-python -e '.[gpu]'
        ;;
    mint) $pip -r scripts/constraints/mint.txt ;;
    tools) $pip -r scripts/constraints/tools.txt ;;
    provider)
        $pip --no-deps -r scripts/constraints/provider.txt &&
            "$ROOT/$folder/bin/python" tui/demo/provider_server.py --check
        ;;
    esac
}

# Removes an environment that cannot work: half made, or made elsewhere and moved here.
drop_broken() {
    [ -e "$1" ] || return 0
    if "$1/bin/python" -m pip --version >/dev/null 2>&1 &&
        grep -qsF "$ROOT/$1" "$1/bin/activate"; then
        return 0
    fi
    echo "  $1 is incomplete or was moved: making it anew" >&2
    rm -rf "${ROOT:?}/$1"
}

build() {
    name=$1
    folder=$(folder_of "$name")
    mkdir -p "$LOGS"
    # One builder per folder: a second make waits here and then finds the work done. Everything
    # started below inherits the lock, so a build that outlives its make is waited for, too.
    exec 9>"$LOGS/$(basename "$folder").lock"
    flock 9
    if is_fresh "$name"; then
        return 0
    fi
    log=$LOGS/$name.log
    : >"$log"
    drop_broken "$folder"
    if [ ! -x "$folder/bin/python" ]; then
        interpreter=$(sh scripts/find-python.sh "$name")
        echo "  $name: making $folder with $interpreter"
        "$interpreter" -m venv "$folder"
    fi
    rm -f "$folder/.stamp-$name" "$log.failed"
    { steps "$folder" "$name" 2>&1 || touch "$log.failed"; } | show "$name" "$log"
    if [ -f "$log.failed" ]; then
        rm -f "$log.failed"
        echo "Building $folder failed. The last lines of $log:" >&2
        tail -n 15 "$log" >&2
        echo "Nothing else was changed. Run the same command again to take the build up again." >&2
        return 1
    fi
    fingerprint "$name" >"$folder/.stamp-$name.new"
    mv "$folder/.stamp-$name.new" "$folder/.stamp-$name"
    if [ "$name" = dev ]; then
        fingerprint app >"$folder/.stamp-app" # dev holds all that app does
    fi
    echo "  $name: $folder is ready"
}

todo=
for name in "$@"; do
    folder_of "$name" >/dev/null
    is_fresh "$name" || todo="$todo $name"
done
[ -n "$todo" ] || exit 0

# A missing venv module is installed or named once, before anything runs side by side.
sh scripts/find-python.sh >/dev/null
echo "Building the environments that are missing or out of date:$todo"
pids=
trap 'kill $pids 2>/dev/null; exit 130' INT TERM HUP
for name in $todo; do
    (build "$name") &
    pids="$pids $!"
done
failed=0
for pid in $pids; do
    wait "$pid" || failed=1
done
exit "$failed"
