"""Questions to the person at the terminal: yes or no, a passphrase, text from standard input."""

from __future__ import annotations

import argparse
import getpass
import sys

from tui.cli.failures import usage

MAX_STDIN = 4 * 1024 * 1024


def confirmed(args: argparse.Namespace, question: str) -> bool:
    """Whether to go on: `--yes`, or a yes at the terminal. Without a terminal `--yes` is needed."""
    if args.yes:
        return True
    if args.json or not sys.stdin.isatty():
        raise usage("This needs a confirmation.", hint="Add --yes to go on without being asked.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def text_or_stdin(text: str, what: str) -> str:
    """The text, or all of standard input for `-`."""
    if text != "-":
        return text
    data = sys.stdin.buffer.read(MAX_STDIN + 1)
    if len(data) > MAX_STDIN:
        raise usage(f"The {what} on standard input is too long.")
    read = data.decode("utf-8", "replace").strip()
    if not read:
        raise usage(f"There was no {what} on standard input.")
    return read


def ask_passphrase(*, new: bool) -> str:
    """The store's passphrase, not echoed; twice when the store is about to be made."""
    if not sys.stdin.isatty():
        raise usage(
            "The encrypted store needs a passphrase and there is no terminal to ask for it.",
            hint="Put it into a file only you can read and name that in "
            "PEER2PROMPT_PASSPHRASE_FILE, or set [store] key_file in config.toml.",
        )
    if new:
        print(
            "A new encrypted store will be made. Choose a passphrase; it cannot be recovered.",
            file=sys.stderr,
        )
    first = getpass.getpass("Passphrase: ")
    if not first:
        raise usage("The passphrase is empty.", hint="Nothing was made or opened; try again.")
    if new and getpass.getpass("Once more: ") != first:
        raise usage("The two passphrases differ.", hint="Nothing was made; try again.")
    return first
