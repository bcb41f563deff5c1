"""The completion script for bash, 3.2 and later, with or without the package bash-completion."""

from __future__ import annotations

from collections.abc import Sequence

from tui.cli.completion.quoting import assigned, quoted, values_by_pattern
from tui.cli.completion.table import Command

_HEAD = """\
# Completion of peer2prompt for bash. Made by `peer2prompt completion bash`: make it again after an
# upgrade. Nothing is started and nobody is asked when Tab is pressed.

# What follows the option in "$1" (place and option); false when it takes no value.
_peer2prompt_value() {
    case $1 in"""

_MIDDLE = """\
    *) return 1 ;;
    esac
}

# What can stand at the place in "$1"; false when there is no such command.
_peer2prompt_place() {
    case $1 in"""

_TAIL = """\
    *) return 1 ;;
    esac
}

_peer2prompt() {
    local current=${COMP_WORDS[COMP_CWORD]} place= option= word i
    local commands= options= kind=text offer=
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $option ]]; then
            [[ $word == "=" ]] || option=
        elif _peer2prompt_value "$place $word"; then
            option=$word
        elif _peer2prompt_place "$place $word"; then
            place="$place $word"
        fi
    done
    commands= options= kind=text offer=
    _peer2prompt_place "$place"
    if [[ -n $option ]]; then
        [[ $current == "=" ]] && current=
        _peer2prompt_value "$place $option"
    elif [[ $current == -* ]]; then
        kind=words offer="$options --home --json --help"
    elif [[ -n $commands ]]; then
        kind=words offer=$commands
    fi
    local IFS=$'\\n'
    case $kind in
    words) COMPREPLY=($(compgen -W "${offer// /$IFS}" -- "$current")) ;;
    files) COMPREPLY=($(compgen -f -- "$current")) ;;
    folders) COMPREPLY=($(compgen -d -- "$current")) ;;
    esac
    if [[ $kind == files || $kind == folders ]]; then
        compopt -o filenames 2>/dev/null
    fi
}

complete -F _peer2prompt peer2prompt
"""


def script(commands: Sequence[Command]) -> str:
    """The whole script."""
    values = [
        f"    {pattern}) {assigned(value)} ;;" for pattern, value in values_by_pattern(commands)
    ]
    places = [_place(command) for command in commands]
    return "\n".join([_HEAD, *values, _MIDDLE, *places, _TAIL])


def _place(command: Command) -> str:
    children = " ".join(name for name, _ in command.children)
    options = " ".join(
        name
        for option in command.options
        for name in option.names
        if name not in ("--home", "--json", "--help", "-h")
    )
    parts = [f"commands={quoted(children)}", f"options={quoted(options)}", assigned(command.value)]
    return f"    {quoted(command.place)}) {' '.join(parts)} ;;"
