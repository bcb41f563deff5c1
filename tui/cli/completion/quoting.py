"""The parts that the scripts for bash and zsh have in common: quoting and `case` branches."""

from __future__ import annotations

from collections.abc import Iterable

from tui.cli.completion.table import EVERYWHERE, Command, Kind, Value


def quoted(text: str) -> str:
    """One word for bash and zsh, whatever is in it."""
    return "'" + text.replace("'", "'\\''") + "'"


def values_by_pattern(commands: Iterable[Command]) -> list[tuple[str, Value]]:
    """`case` patterns over "PLACE OPTION", each with the value that all of them take."""
    found: dict[Value, list[str]] = {}
    for command in commands:
        for option in command.options:
            for name in option.names if option.value is not None else ():
                if name in EVERYWHERE:
                    pattern = f"*{quoted(' ' + name)}"
                else:
                    pattern = quoted(f"{command.place} {name}")
                patterns = found.setdefault(option.value or Value(Kind.TEXT), [])
                if pattern not in patterns:
                    patterns.append(pattern)
    return [("|".join(patterns), value) for value, patterns in found.items()]


def assigned(value: Value) -> str:
    """The value as the assignments that the scripts' functions leave behind."""
    words = f" offer={quoted(' '.join(value.words))}" if value.words else ""
    return f"kind={value.kind}{words}"
