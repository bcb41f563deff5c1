"""Questions at a terminal, line by line: they work over any SSH session, 80 columns wide.

Every question can be answered beforehand by an option; without a terminal the answers must all be
there. What was typed for a secret is neither echoed nor kept.
"""

from __future__ import annotations

import getpass
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tui.cli.failures import CliError, usage

T = TypeVar("T")
WIDTH = 78
TRIES = 5


class Asker(Protocol):
    """Who answers: a person, or a test."""

    def say(self, text: str = "") -> None: ...
    def line(self, question: str) -> str: ...
    def secret(self, question: str) -> str: ...


class Terminal:
    """Questions on standard error, answers from standard input."""

    def say(self, text: str = "") -> None:
        """Words, wrapped; lines that are laid out already stay."""
        for part in text.split("\n"):
            print(part if part.startswith((" ", "-")) else textwrap.fill(part, WIDTH),
                  file=sys.stderr)  # fmt: skip

    def line(self, question: str) -> str:
        print(question, end=" ", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if not answer:
            raise usage("The input ended before all was answered.", hint="Start again to go on.")
        return answer.strip()

    def secret(self, question: str) -> str:
        return getpass.getpass(f"{question} ", stream=sys.stderr).strip()


class Silent:
    """No terminal: everything has to come from options."""

    def say(self, text: str = "") -> None:
        """Nobody listens."""

    def line(self, question: str) -> str:
        raise usage(f"This is not answered: {question}", hint="Give the option for it.")

    def secret(self, question: str) -> str:
        hint = "Use --key-file, --key-stdin or --no-key."
        raise usage(f"There is no terminal for this: {question}", hint=hint)


def ask(
    asker: Asker,
    question: str,
    default: T | None,
    read: Callable[[str], T],
    shown: str | None = None,
) -> T:
    """An answer that `read` takes; empty stands for the default, if there is one. A wrong one is
    asked again."""
    hint = ("" if default is None else str(default)) if shown is None else shown
    for _ in range(TRIES):
        answer = asker.line(f"{question} [{hint}]" if hint else question)
        if not answer and default is not None:
            return default
        try:
            return read(answer)
        except (ValueError, CliError) as error:
            asker.say(f"  {error or 'That does not fit.'}")
    raise usage("That was not understood.", hint="Start again to go on where you are.")


def yes(asker: Asker, question: str, *, default: bool = False) -> bool:
    """A yes or a no."""

    def read(answer: str) -> bool:
        if answer.lower() in ("y", "yes", "n", "no"):
            return answer.lower().startswith("y")
        raise ValueError("Say yes or no.")

    return ask(asker, question, default, read, "Y/n" if default else "y/N")


def choose(asker: Asker, question: str, options: Sequence[tuple[str, str]], default: str) -> str:
    """One of the options, by number or name."""
    asker.say(question)
    for number, (name, meaning) in enumerate(options, 1):
        asker.say(f"  {number}. {name:<18} {meaning}"[:WIDTH])
    names = [name for name, _ in options]

    def read(answer: str) -> str:
        return pick(answer, names)

    return ask(asker, "Which?", default, read)


def pick(answer: str, names: Sequence[str]) -> str:
    """The name that a number or a name means. Raises ValueError."""
    if answer.isdecimal() and 1 <= int(answer) <= len(names):
        return names[int(answer) - 1]
    if answer in names:
        return answer
    raise ValueError("Give the number or the name.")


def pick_some(answer: str, names: Sequence[str]) -> list[str]:
    """Several, separated by commas or spaces; `none` for none. Raises ValueError."""
    if answer in ("none", "-"):
        return []
    parts = answer.replace(",", " ").split()
    return list(dict.fromkeys(pick(part, names) for part in parts))
