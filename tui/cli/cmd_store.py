"""`peer2prompt store passphrase | backup | restore` and `peer2prompt wipe`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.control.client import ControlClient, ControlClosed, NodeNotRunning
from engine.control.protocol.node import Backup, Wiped
from tui.cli import style
from tui.cli.call import call, call_as, home_of, print_json, with_node
from tui.cli.engine_says import engine_says
from tui.cli.prompts import ask_passphrase, confirmed

KEEPING = "engine.keeping"


def passphrase(args: argparse.Namespace) -> int:
    """Ask for the old and the new one, twice; the node changes it while it runs."""
    old = ask_passphrase(new=False)
    print("The new one:", file=sys.stderr)
    new = ask_passphrase(new=True)
    call(args, "store.passphrase", old=old, new=new)
    if args.json:
        print_json({"changed": True})
    else:
        print("The passphrase is changed. Backups made before are opened by the old one.")
    return 0


def backup(args: argparse.Namespace) -> int:
    """Let the node write its store to a file."""
    target = str(Path(args.file).expanduser().absolute())
    done = call_as(args, Backup, "store.backup", path=target)
    if args.json:
        print_json(done)
    else:
        print(f"Wrote {style.clean(done.path)}, {done.bytes} bytes, encrypted as the store is.")
    return 0


def restore(args: argparse.Namespace) -> int:
    """Bring a backup back into a home without a store."""
    found = engine_says(
        KEEPING, "restore", home_of(args), str(Path(args.file).expanduser().absolute())
    )
    if args.json:
        print_json(found)
    else:
        print("The store is back. At its next start the node asks the mints what is still unspent.")
    return 0


def wipe(args: argparse.Namespace) -> int:
    """Destroy the store, by the node when one runs."""
    question = "Destroy the wallet, every conversation and all keys in this home for ever?"
    if not confirmed(args, question):
        print("Nothing was destroyed.")
        return 0
    removed = _wipe_by_node(args)
    if removed is None:
        removed = engine_says(KEEPING, "wipe", home_of(args))["removed"]
    if args.json:
        print_json({"removed": removed})
    else:
        print("Everything is destroyed." if removed else "There was nothing to destroy.")
    return 0


def _wipe_by_node(args: argparse.Namespace) -> list[str] | None:
    """What the running node removed, or None when none runs."""

    async def work(client: ControlClient) -> list[str]:
        try:
            return (await client.call_as(Wiped, "wipe")).removed
        except ControlClosed:  # it ends itself, perhaps before its answer was read
            return ["store.db"]

    try:
        return with_node(args, work)
    except NodeNotRunning:
        return None
