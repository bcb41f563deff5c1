"""The words behind the magics: what they may be, how they are read, and how they are completed."""

from __future__ import annotations

import argparse
import re
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
    "doctor": "what is wrong, and what to do about it",
    "help": "this list",
}

_OPTION: Final = re.compile(r"\s*(--[a-z][a-z-]*)(?=[=\s]|$)")
_VALUE: Final = re.compile(r"""(?:=|\s+)(?:"([^"]*)"|'([^']*)'|(\S+))(?=\s|$)""")


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
    return parser


def read_asked(line: str, cell: str | None) -> tuple[Asked, str]:
    """The options and the question. Raises `UsageError`, which IPython shows as one line.

    Options stand first; what follows them is the question as it is, apostrophes and all.
    """
    words, question = _split(line)
    asked = ask_parser().parse_args(words, Asked())
    if late := set(question.split()) & set(options_of_ask()):
        raise UsageError(f"Options come before the question: {', '.join(sorted(late))}.")
    if cell is not None:
        question = "\n".join(part for part in (question, cell.strip("\n")) if part)
    if not question.strip() and not asked.attach:
        raise UsageError("There is no question: write it behind %ask, or below the line of %%ask.")
    if asked.into is not None and not asked.into.isidentifier():
        raise UsageError("--into takes the name of a variable.")
    return asked, question


def _split(line: str) -> tuple[list[str], str]:
    """The options with their values, and the rest of the line."""
    takes_none = {n for a in ask_parser()._actions if a.nargs == 0 for n in a.option_strings}
    words: list[str] = []
    while option := _OPTION.match(line):
        words.append(option[1])
        line = line[option.end() :]
        bare = option[1] in takes_none and not line.startswith("=")
        if bare or not (value := _VALUE.match(line)):
            continue
        words[-1] += "=" + next(part for part in value.groups() if part is not None)
        line = line[value.end() :]
    return words, line.strip()


def questions(lines: list[str]) -> list[str]:
    """Lines of a cell in which `%ask What is an onion?` is no call for help on an onion.

    IPython takes a name with a question mark at the end of any line for one. Behind a quoted text
    of several lines nothing is touched, since there a line may be part of one.
    """
    done: list[str] = []
    for number, line in enumerate(lines):
        if '"""' in line or "'''" in line or line.startswith("%%"):
            return done + lines[number:]
        begin, magic, question = line.partition("%ask ")
        if magic and not begin.strip() and question.rstrip().endswith("?"):
            line = f"{begin}get_ipython().run_line_magic('ask', {question.rstrip()!r})\n"
        done.append(line)
    return done


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
