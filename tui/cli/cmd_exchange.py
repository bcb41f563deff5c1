"""`peer2prompt sessions export|import`: conversations out to files and in from them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from engine.control.client import ControlClient, RemoteError
from engine.control.protocol.chats import Exported, Imported
from tui.cli.call import call_as, print_json, with_node
from tui.cli.cmd_sessions import find_session
from tui.cli.failures import usage

TOO_LONG = "export_too_long"


def export(args: argparse.Namespace) -> int:
    """Write one conversation or all as Markdown, or as JSON."""
    if bool(args.session) == args.all:
        raise usage("Name one conversation, or all of them with --all.")
    if args.output is not None and args.output.exists():
        raise usage(f"{args.output} exists already.", hint="Name a new file.")
    style = {"format": "json" if args.json else "markdown"}

    async def work(client: ControlClient) -> Exported:
        what: dict[str, Any] = {**style, "all": args.all}
        if args.session:
            what["session_id"] = (await find_session(client, args.session)).session_id
        try:
            return await client.call_as(Exported, "sessions.export", **what)
        except RemoteError as error:
            if error.code != TOO_LONG or args.output is None:
                raise
        path = str(args.output.absolute())
        return await client.call_as(Exported, "sessions.export", path=path, **what)

    done = with_node(args, work)
    if args.output is None:
        print(done.text, end="" if done.text.endswith("\n") else "\n")
        return 0
    if not done.path:
        _write_private(args.output, done.text)
    print(f"Wrote {done.messages} messages to {args.output}.")
    return 0


def take_in(args: argparse.Namespace) -> int:
    """Make conversations of what is in a file. The node reads it: it may be large."""
    if not args.file.exists():
        raise usage(f"There is no file {args.file}.")
    done = call_as(args, Imported, "sessions.import", path=str(args.file.absolute()))
    if args.json:
        print_json(done)
        return 0
    ids = ", ".join(session_id[:8] for session_id in done.sessions)
    print(f"Took in {len(done.sessions)} conversations with {done.messages} messages: {ids}")
    return 0


def _write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read. An existing one is never overwritten."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as exc:
        raise usage(f"{path} exists already.", hint="Name a new file.") from exc
    except OSError as exc:
        raise usage(f"{path} cannot be written: {exc.strerror}.") from exc
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
