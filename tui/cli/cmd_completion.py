"""`peer2prompt completion SHELL` and `peer2prompt manual`: what a shell and man(1) need to know."""

from __future__ import annotations

import argparse

from tui.cli.call import print_json


def completion(args: argparse.Namespace) -> int:
    """Print the completion script of one shell."""
    from tui.cli.completion.scripts import script

    return _show(args, script(args.shell))


def manual(args: argparse.Namespace) -> int:
    """Print the manual page, in the language of man(1)."""
    from tui.cli.manpage import manual as page

    return _show(args, page())


def _show(args: argparse.Namespace, text: str) -> int:
    if args.json:
        print_json({"text": text})
    else:
        print(text, end="")
    return 0
