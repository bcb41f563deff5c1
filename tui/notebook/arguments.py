"""The words behind the magics: what they may be, how they are read, and how they are completed."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from IPython.core.error import UsageError

TOPICS: Final = {
    "status": "how the node is doing",
    "models": "what can be asked, and what it costs",
    "wallet": "what the wallet holds, by mint",
    "history": "what moved in the wallet",
    "circuit": "the path questions take now",
    "circuits": "all circuits",
    "ghosts": "who answers, and what was seen of them",
    "earnings": "what this node's ghost earned",
    "chats": "the chats the node keeps",
    "help": "this list",
}


class Asked(argparse.Namespace):
    """What `%ask` and `%%ask` were given."""

    model: str | None
    session: str | None
    system: str | None
    temporary: bool
    max_sat: float | None
    max_tokens: int | None
    attach: list[Path]
    into: str | None
    text: list[str]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def ask_parser() -> argparse.ArgumentParser:
    """The options of `%ask` and `%%ask`."""
    parser = _Parser(prog="%%ask", add_help=False, allow_abbrev=False)
    option = parser.add_argument
    option("--model", metavar="NAME", help="the model to ask")
    option("--session", metavar="NAME", help="go on with the chat of this title or id, or begin it")
    option("--system", metavar="TEXT", help="words to the model before everything else")
    option("--temporary", action="store_true", help="leave nothing of the chat on the node's disk")
    option("--max-sat", type=float, metavar="N", help="refuse when it may cost more")
    option("--max-tokens", type=int, metavar="N", help="the longest answer")
    option("--attach", type=Path, action="append", default=[], metavar="FILE", help="send a file")
    option("--into", metavar="VAR", help="keep the answer in a variable")
    option("text", nargs="*", help="the question; below the line for %%%%ask")
    return parser


def read_asked(line: str, cell: str | None) -> tuple[Asked, str]:
    """The options and the question. Raises `UsageError`, which IPython shows as one line."""
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise UsageError(f"{exc}: quotes open and close in pairs.") from None
    asked = ask_parser().parse_intermixed_args(words, Asked())
    question = " ".join(asked.text)
    if cell is not None:
        question = "\n".join(part for part in (question, cell.strip("\n")) if part)
    if not question.strip() and not asked.attach:
        raise UsageError("There is no question: write it below the line of %%ask.")
    if asked.into is not None and not asked.into.isidentifier():
        raise UsageError("--into takes the name of a variable.")
    return asked, question


def help_text() -> str:
    """What the magics can do."""
    column = max(len(name) for name in TOPICS)
    topics = "\n".join(f"  %p2p {name.ljust(column)}  {what}" for name, what in TOPICS.items())
    options = ask_parser().format_help().partition("options:\n")[2].rstrip()
    return (
        "%%ask [options], the question below; or %ask [options] QUESTION\n"
        f"{options}\n\n{topics}\n\n"
        "A notebook and IPython's history keep questions and answers unencrypted."
    )


def options_of_ask() -> Sequence[str]:
    """For completion."""
    return [name for action in ask_parser()._actions for name in action.option_strings]
