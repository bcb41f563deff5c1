"""argparse with our manners: kind words for mistakes, examples under the help, checked numbers."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from tui.cli.failures import USAGE

Subparsers = Any  # argparse keeps the type of its sub-command groups private


class Parser(argparse.ArgumentParser):
    """Suggests what may have been meant, and never abbreviates options in silence."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        settings.setdefault("allow_abbrev", False)
        super().__init__(**settings)

    def error(self, message: str) -> NoReturn:
        print(f"peer2prompt: {message}", file=sys.stderr)
        print(f"  See `{self.prog} --help`.", file=sys.stderr)
        self.exit(USAGE)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        what = "command" if isinstance(action, argparse._SubParsersAction) else "value"
        close = difflib.get_close_matches(str(value), choices, n=2, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Use {', '.join(choices)}."
        raise argparse.ArgumentError(
            None if what == "command" else action, f"there is no {what} {str(value)[:40]!r}. {hint}"
        )


def examples(pairs: Sequence[tuple[str, str]]) -> str:
    """The examples under a help text."""
    lines = ["examples:"]
    for command, meaning in pairs:
        lines.append(f"  {command}")
        if meaning:
            lines.append(f"      {meaning}")
    return "\n".join(lines)


def leaf(
    group: Subparsers,
    name: str,
    target: str,
    text: str,
    *shown: tuple[str, str],
    more: str = "",
) -> Parser:
    """A command that runs `target`, with its one-line help and its examples."""
    parser: Parser = group.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.{more}", epilog=examples(shown)
    )
    parser.set_defaults(target=f"tui.cli.{target}")
    return parser


def branch(group: Subparsers, name: str, text: str, *shown: tuple[str, str]) -> Subparsers:
    """A command that only holds others; alone it prints its help."""
    parser: Parser = group.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=examples(shown)
    )
    return parser.add_subparsers(
        title="commands", metavar="COMMAND", dest=f"{name}_command", required=True
    )


def positive(text: str) -> int:
    """A whole number above zero."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 0 < value < 2**53:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number above zero")
    return value


def seconds(text: str) -> float:
    """A length of time in seconds, zero or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds")
    return value
