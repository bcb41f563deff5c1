"""The completion script for fish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tui.cli.completion.table import EVERYWHERE, Command, Kind, Option, Value

_HEAD = """\
# Completion of peer2prompt for fish. Made by `peer2prompt completion fish`: make it again after an
# upgrade. Nothing is started and nobody is asked when Tab is pressed.

# Whether the commands typed so far are those in $argv[1].
function __peer2prompt_at
    set -l place ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if __peer2prompt_takes_value "$place $word"
            set skip 1
        else if __peer2prompt_is_place "$place $word"
            set place "$place $word"
        end
    end
    test "$place" = "$argv[1]"
end
"""

_HELPER = """\
function {name}
    switch $argv[1]
        case {patterns}
            return 0
    end
    return 1
end
"""


def script(commands: Sequence[Command]) -> str:
    """The whole script."""
    takes = [
        _quoted(f"{'*' if name in EVERYWHERE else command.place} {name}")
        for command in commands
        for option in command.options
        if option.value is not None
        for name in option.names
    ]
    places = [_quoted(command.place) for command in commands if command.place]
    parts = [
        _HEAD,
        _HELPER.format(name="__peer2prompt_takes_value", patterns=" ".join(dict.fromkeys(takes))),
        _HELPER.format(name="__peer2prompt_is_place", patterns=" ".join(places)),
        "complete -c peer2prompt -f",
    ]
    parts += [_option("", option) for option in commands[0].options if _everywhere(option)]
    for command in commands:
        parts += _lines(command)
    return "\n".join(parts) + "\n"


def _lines(command: Command) -> Iterator[str]:
    here = f" -n {_quoted(f'__peer2prompt_at {_quoted(command.place)}')}"
    for name, text in command.children:
        yield f"complete -c peer2prompt{here} -a {_quoted(name)} -d {_quoted(text)}"
    for option in command.options:
        if not _everywhere(option):
            yield _option(here, option)
    if command.value.kind is not Kind.TEXT:
        yield f"complete -c peer2prompt{here}{_offered(command.value)}"


def _option(here: str, option: Option) -> str:
    names = "".join(
        f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option.names
    )
    takes = "" if option.value is None else f" -r{_offered(option.value)}"
    return f"complete -c peer2prompt{here}{names}{takes} -d {_quoted(option.text)}"


def _offered(value: Value) -> str:
    match value.kind:
        case Kind.WORDS:
            return f" -f -a {_quoted(' '.join(value.words))}"
        case Kind.FILES:
            return " -F"
        case Kind.FOLDERS:
            return " -f -a '(__fish_complete_directories)'"
        case Kind.TEXT:
            return " -f"


def _everywhere(option: Option) -> bool:
    return all(name in EVERYWHERE for name in option.names)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
