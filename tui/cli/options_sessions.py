"""The options of `ask` that are about conversations, and of `sessions` and `snippets`."""

from __future__ import annotations

from pathlib import Path

from tui.cli.argtypes import Parser, Subparsers, branch, positive
from tui.cli.options import command

FAILOVER = ("ask", "always", "never")
FULL = ("refuse", "trim")


def add_asking(ask: Parser) -> None:
    """What of `ask` is about files, the conversation and its ghost."""
    ask.add_argument(
        "--attach",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a text or a picture to go with the question; may be given several times",
    )
    ask.add_argument(
        "--result",
        action="append",
        default=[],
        metavar="CALL=TEXT",
        help="what came of a tool's call in the answer before, by the call's id; the question may "
        "then be left out; may be given several times",
    )
    ask.add_argument("--system", metavar="TEXT", help="words to the model before everything else")
    _add_params(ask)
    ask.add_argument(
        "--temporary", action="store_true", help="a new conversation that leaves nothing on disk"
    )
    ask.add_argument(
        "--trim", action="store_true", help="leave out the oldest messages if all do not fit"
    )
    ask.add_argument(
        "--estimate", action="store_true", help="print what it would cost and send nothing"
    )
    ask.add_argument(
        "--failover",
        choices=("once", "always", "no"),
        help="your word on showing the conversation to another ghost, after one failed",
    )
    _add_no_stream(ask)


def add_sessions(group: Subparsers) -> None:
    sessions = branch(
        group,
        "sessions",
        "list, search, change, export and import conversations",
        ("peer2prompt sessions list", ""),
    )
    _add_looking(sessions)
    _add_changing(sessions)
    _add_branching(sessions)
    _add_exchange(sessions)


def _add_looking(sessions: Subparsers) -> None:
    listing = command(
        sessions,
        "list",
        "cmd_sessions:list_all",
        "list the conversations, the latest first",
        ("peer2prompt sessions list", ""),
        ("peer2prompt sessions list --archived", "those that were put away too"),
    )
    listing.add_argument("--archived", action="store_true", help="those that were put away too")
    show = command(
        sessions,
        "show",
        "cmd_sessions:show",
        "print a conversation, its ghost and how full the model's context is",
        ("peer2prompt sessions show 3f2a", "a start of its id is enough"),
    )
    _add_id(show)
    search = command(
        sessions,
        "search",
        "cmd_search:run",
        "search all conversations for words",
        ("peer2prompt sessions search onion rou", "all words; the last may be a beginning"),
        ("peer2prompt sessions search '\"garlic bread\"'", "a phrase"),
    )
    search.add_argument("text", nargs="+", metavar="WORDS", help="words, or a phrase in quotes")
    search.add_argument("--limit", type=positive, default=20, metavar="N", help="at most so many")
    search.add_argument("--session", metavar="ID", help="only in this conversation")


def _add_changing(sessions: Subparsers) -> None:
    pin = command(
        sessions,
        "pin",
        "cmd_change:pin",
        "keep a conversation at the head of the list",
        ("peer2prompt sessions pin 3f2a", ""),
        ("peer2prompt sessions pin 3f2a --off", "no longer"),
    )
    pin.add_argument("--off", action="store_true", help="no longer")
    archive = command(
        sessions,
        "archive",
        "cmd_change:archive",
        "put a conversation away",
        ("peer2prompt sessions archive 3f2a", ""),
        ("peer2prompt sessions archive 3f2a --back", "bring it back"),
    )
    archive.add_argument("--back", action="store_true", help="bring it back")
    rotate = command(
        sessions,
        "rotate",
        "cmd_change:rotate",
        "leave the conversation's ghost: the next question shows it to another",
        ("peer2prompt sessions rotate 3f2a", ""),
    )
    change = command(
        sessions,
        "set",
        "cmd_change:change",
        "change a conversation's title, model, system words, options and limits",
        ("peer2prompt sessions set 3f2a --title Onions", ""),
        ('peer2prompt sessions set 3f2a --system "Be brief." --param temperature=0.2', ""),
        ("peer2prompt sessions set 3f2a --temporary", "take it off the disk"),
        ("peer2prompt sessions set 3f2a --rotate-answers 20", "then ask another ghost"),
    )
    change.add_argument("--title", metavar="TEXT", help="another title")
    change.add_argument("--model", metavar="NAME", help="the model to ask; empty for any")
    change.add_argument("--shape", metavar="NAME", help="traffic shape; empty for the usual")
    place = change.add_mutually_exclusive_group()
    place.add_argument("--temporary", action="store_true", help="keep it in memory alone")
    place.add_argument("--keep", action="store_true", help="keep it on disk")
    for parser in (pin, archive, rotate, change):
        _add_id(parser)
    defaults = command(
        sessions,
        "defaults",
        "cmd_change:defaults",
        "show or change what holds for conversations that chose nothing",
        ("peer2prompt sessions defaults", ""),
        ("peer2prompt sessions defaults --failover never", ""),
    )
    for parser in (change, defaults):
        _add_settings(parser)


def _add_settings(parser: Parser) -> None:
    parser.add_argument("--system", metavar="TEXT", help="words to the model; empty for none")
    _add_params(parser)
    parser.add_argument(
        "--failover", choices=FAILOVER, help="whether another ghost may see it when one fails"
    )
    parser.add_argument("--full", choices=FULL, help="what to do when the context is full")
    for name, what in (
        ("answers", "answers of one ghost"),
        ("hours", "hours with one ghost"),
        ("sat", "sat spent at one ghost"),
    ):
        parser.add_argument(
            f"--rotate-{name}", type=float, metavar="N", help=f"another ghost after N {what}"
        )


def _add_branching(sessions: Subparsers) -> None:
    retry = command(
        sessions,
        "retry",
        "cmd_branch:retry",
        "ask for another answer to a question, beside the first",
        ("peer2prompt sessions retry 3f2a", "to the last one"),
        ("peer2prompt sessions retry 3f2a 17 --model large", "to message 17, by another model"),
    )
    _add_id(retry)
    retry.add_argument("message", nargs="?", type=positive, metavar="MESSAGE", help="its number")
    retry.add_argument("--model", metavar="NAME", help="model to ask this time")
    edit = command(
        sessions,
        "edit",
        "cmd_branch:edit",
        "ask a question again in other words, on a branch of its own",
        ('peer2prompt sessions edit 3f2a 16 "Why onions, then?"', ""),
    )
    _add_id(edit)
    edit.add_argument("message", type=positive, metavar="MESSAGE", help="the question's number")
    edit.add_argument("text", nargs="+", metavar="TEXT", help="the words; - reads them from stdin")
    for parser in (retry, edit):
        _add_no_stream(parser)
    go_on = command(
        sessions,
        "branch",
        "cmd_branch:branch",
        "go on from an earlier message, or show the branch a message is on",
        ("peer2prompt sessions branch 3f2a 17", "the next question follows message 17"),
        ("peer2prompt sessions branch 3f2a 21 --show", "show the branch of message 21"),
        ("peer2prompt sessions branch 3f2a 17 --new", "in a conversation of its own"),
    )
    _add_id(go_on)
    go_on.add_argument("message", type=positive, metavar="MESSAGE", help="its number")
    how = go_on.add_mutually_exclusive_group()
    how.add_argument("--show", action="store_true", help="show its branch to the newest end")
    how.add_argument("--new", action="store_true", help="copy the way to it into a new one")


def _add_exchange(sessions: Subparsers) -> None:
    delete = command(
        sessions,
        "delete",
        "cmd_sessions:delete",
        "delete a conversation for good",
        ("peer2prompt sessions delete 3f2a", "asks first"),
        ("peer2prompt sessions delete 3f2a --yes", ""),
    )
    delete.add_argument("--yes", action="store_true", help="do not ask")
    _add_id(delete)
    export = command(
        sessions,
        "export",
        "cmd_exchange:export",
        "write a conversation, with all its branches, to a file or to standard output",
        ("peer2prompt sessions export 3f2a > chat.md", "as Markdown"),
        ("peer2prompt sessions export 3f2a --json --output chat.json", "as JSON, only for you"),
        ("peer2prompt sessions export --all --json --output chats.json", "everything"),
    )
    export.add_argument(
        "session", nargs="?", metavar="ID", help="the conversation's id, or a start of it"
    )
    export.add_argument("--all", action="store_true", help="every conversation that is kept")
    export.add_argument(
        "--output", type=Path, metavar="FILE", help="file to write; it must not exist yet"
    )
    taking = command(
        sessions,
        "import",
        "cmd_exchange:take_in",
        "take conversations in from a file: our own JSON, or lists of OpenAI messages",
        ("peer2prompt sessions import chats.json", ""),
    )
    taking.add_argument("file", type=Path, metavar="FILE", help="the file")


def add_snippets(group: Subparsers) -> None:
    snippets = branch(
        group, "snippets", "keep pieces of text by name", ("peer2prompt snippets list", "")
    )
    command(
        snippets,
        "list",
        "cmd_snippets:list_all",
        "list the snippets",
        ("peer2prompt snippets list", ""),
    )
    put = command(
        snippets,
        "put",
        "cmd_snippets:put",
        "keep a snippet",
        ('peer2prompt snippets put brief "Answer in one sentence."', ""),
    )
    _add_name(put)
    put.add_argument("text", nargs="+", metavar="TEXT", help="the text; - reads it from stdin")
    delete = command(
        snippets,
        "delete",
        "cmd_snippets:delete",
        "forget a snippet",
        ("peer2prompt snippets delete brief", ""),
    )
    _add_name(delete)


def _add_id(parser: Parser) -> None:
    parser.add_argument("session", metavar="ID", help="the conversation's id, or a start of it")


def _add_name(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="its name")


def _add_params(parser: Parser) -> None:
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option for the model (null forgets it); may be given several times",
    )


def _add_no_stream(parser: Parser) -> None:
    parser.add_argument(
        "--no-stream", action="store_true", help="print the answer when it is whole"
    )
