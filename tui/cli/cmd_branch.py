"""`peer2prompt sessions retry|edit|branch`: the branches of a conversation."""

from __future__ import annotations

import argparse
from typing import Any

from engine.control.client import ControlClient
from engine.control.protocol.sessions import Message, Session
from tui.cli.asking import ask_and_print
from tui.cli.call import print_json, with_node
from tui.cli.cmd_sessions import find_session
from tui.cli.failures import usage
from tui.cli.prompts import text_or_stdin


def retry(args: argparse.Namespace) -> int:
    """Ask for another answer, to the last message unless one is named."""

    async def prepare(client: ControlClient) -> dict[str, Any]:
        session = await find_session(client, args.session)
        number = args.message or await _last(client, session)
        return {"session_id": session.session_id, "message_id": number, "model": args.model}

    return ask_and_print(args, "sessions.retry", prepare)


def edit(args: argparse.Namespace) -> int:
    """Ask a question again in other words."""
    text = text_or_stdin(" ".join(args.text), "question")

    async def prepare(client: ControlClient) -> dict[str, Any]:
        session = await find_session(client, args.session)
        return {"session_id": session.session_id, "message_id": args.message, "text": text}

    return ask_and_print(args, "sessions.edit", prepare)


def branch(args: argparse.Namespace) -> int:
    """Go on from a message, or show the branch it is on."""

    async def work(client: ControlClient) -> Session:
        found = await find_session(client, args.session)
        where = {"session_id": found.session_id, "message_id": args.message}
        if args.show:
            return await client.call_as(Session, "sessions.choose", **where)
        return await client.call_as(Session, "sessions.branch", as_new=args.new, **where)

    session = with_node(args, work)
    if args.json:
        print_json(session)
    else:
        print(f"{session.session_id[:8]} goes on from message {session.leaf}.")
    return 0


async def _last(client: ControlClient, session: Session) -> int:
    messages = await client.call_as(
        list[Message], "sessions.messages", session_id=session.session_id, limit=1
    )
    if not messages:
        raise usage("There is nothing in this conversation yet.")
    return messages[-1].message_id
