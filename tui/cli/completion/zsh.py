"""The completion script for zsh, with the help of each command and option beside its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui.cli.completion.quoting import assigned, quoted, values_by_pattern
from tui.cli.completion.table import Command

_HEAD = """\
#compdef peer2prompt
# Completion of peer2prompt for zsh. Made by `peer2prompt completion zsh`: make it again after an
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

_peer2prompt_offer() {
    case $kind in
    words) compadd -- ${=offer} ;;
    files) _files ;;
    folders) _files -/ ;;
    *) _message text ;;
    esac
}

_peer2prompt() {
    local place= option= word kind=text offer=
    local -a commands options
    for word in "${(@)words[2,CURRENT-1]}"; do
        if [[ -n $option ]]; then
            option=
        elif _peer2prompt_value "$place $word"; then
            option=$word
        elif _peer2prompt_place "$place $word"; then
            place="$place $word"
        fi
    done
    commands=() options=() kind=text offer=
    _peer2prompt_place "$place"
    if [[ -n $option ]]; then
        _peer2prompt_value "$place $option"
        _peer2prompt_offer
    elif [[ $PREFIX == --*=* ]]; then
        option=${PREFIX%%=*}
        compset -P '*='
        kind=text offer=
        _peer2prompt_value "$place $option" && _peer2prompt_offer
    elif [[ $PREFIX == -* ]]; then
        _describe -o option options
    elif (( $#commands )); then
        _describe command commands
    else
        _peer2prompt_offer
    fi
}

if [[ $funcstack[1] == _peer2prompt ]]; then
    _peer2prompt "$@"
else
    compdef _peer2prompt peer2prompt
fi
"""


def script(commands: Sequence[Command]) -> str:
    """The whole script."""
    values = [
        f"    {pattern}) {assigned(value)} ;;" for pattern, value in values_by_pattern(commands)
    ]
    places = [_place(command) for command in commands]
    return "\n".join([_HEAD, *values, _MIDDLE, *places, _TAIL])


def _place(command: Command) -> str:
    options = [(name, option.text) for option in command.options for name in option.names]
    return (
        f"    {quoted(command.place)}) commands=({_described(command.children)})"
        f" options=({_described(options)}) {assigned(command.value)} ;;"
    )


def _described(pairs: Iterable[tuple[str, str]]) -> str:
    return " ".join(quoted(f"{name}:{text}") for name, text in pairs)
