"""What can follow what on the command line, as plain data taken from the parsers.

A place is the names of the commands so far, each with a space before it: `" wallet send"`, and `""`
for the program alone. Knows no shell.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tui.cli.parser import build_parser

EVERYWHERE = ("--home", "--json", "-h", "--help")
"""Options that every command takes; the scripts name them once."""

_FILES = frozenset({"FILE"})
_FOLDERS = frozenset({"DIR"})


class Kind(StrEnum):
    """What a value is, as far as a shell can help with it."""

    WORDS = "words"
    FILES = "files"
    FOLDERS = "folders"
    TEXT = "text"


@dataclass(frozen=True)
class Value:
    """What stands after an option, or where a command takes words of its own."""

    kind: Kind
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    names: tuple[str, ...]
    text: str
    value: Value | None
    """None: it takes no value."""


@dataclass(frozen=True)
class Command:
    place: str
    children: tuple[tuple[str, str], ...]
    """Names of the commands below it, each with its help."""
    options: tuple[Option, ...]
    value: Value
    """What its own words are."""


def table(themes: Iterable[str] = ()) -> list[Command]:
    """Every command of the tree, the program itself first. `themes` are offered after --theme."""
    return list(_walk(build_parser(), "", tuple(sorted(themes))))


def value_of(action: argparse.Action, themes: tuple[str, ...] = ()) -> Value | None:
    """What this argument takes, None for a switch."""
    if action.nargs == 0:
        return None
    if action.choices is not None:
        return Value(Kind.WORDS, tuple(str(choice) for choice in action.choices))
    if "--theme" in action.option_strings and themes:
        return Value(Kind.WORDS, themes)
    if action.metavar in _FILES:
        return Value(Kind.FILES)
    if action.metavar in _FOLDERS:
        return Value(Kind.FOLDERS)
    return Value(Kind.TEXT)


def _walk(
    parser: argparse.ArgumentParser, place: str, themes: tuple[str, ...]
) -> Iterable[Command]:
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    named = [a for a in parser._actions if a.option_strings]
    own = [a for a in parser._actions if not a.option_strings and a not in groups]
    helped = tuple(
        (str(action.dest), action.help or "")
        for group in groups
        for action in group._choices_actions
    )
    options = tuple(
        Option(tuple(action.option_strings), action.help or "", value_of(action, themes))
        for action in named
    )
    yield Command(place, helped, options, _first_known(own))
    for group in groups:
        for name, child in group.choices.items():
            yield from _walk(child, f"{place} {name}", themes)


def _first_known(actions: Iterable[argparse.Action]) -> Value:
    """What a shell can help with among a command's own words."""
    values = [value for action in actions if (value := value_of(action)) is not None]
    return next((value for value in values if value.kind is not Kind.TEXT), Value(Kind.TEXT))
