"""`peer2prompt snippets ...`: pieces of text that are kept by name in the encrypted store."""

from __future__ import annotations

import argparse

from engine.control.protocol.chats import Snippet
from tui.cli import style
from tui.cli.call import call, call_as, print_json
from tui.cli.prompts import text_or_stdin


def list_all(args: argparse.Namespace) -> int:
    """Print the snippets."""
    found = call_as(args, list[Snippet], "snippets.list")
    if args.json:
        print_json(found)
        return 0
    rows = [(one.name, style.one_line(one.text, 60)) for one in found]
    style.table(("name", "text"), rows, empty="No snippet is kept.")
    return 0


def put(args: argparse.Namespace) -> int:
    """Keep a snippet, in place of an older one of the name."""
    call(args, "snippets.put", name=args.name, text=text_or_stdin(" ".join(args.text), "text"))
    return _done(args, f"Kept {args.name}.")


def delete(args: argparse.Namespace) -> int:
    """Forget a snippet."""
    call(args, "snippets.delete", name=args.name)
    return _done(args, f"Forgot {args.name}.")


def _done(args: argparse.Namespace, words: str) -> int:
    if args.json:
        print_json({"name": args.name})
    else:
        print(style.one_line(words))
    return 0
