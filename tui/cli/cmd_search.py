"""`peer2prompt sessions search`: words in all conversations, from the index in the store."""

from __future__ import annotations

import argparse

from engine.control.client import ControlClient
from engine.control.protocol.chats import Found
from tui.cli import style
from tui.cli.call import print_json, with_node
from tui.cli.cmd_sessions import find_session


def run(args: argparse.Namespace) -> int:
    """Print the messages with these words, the newest first."""

    async def work(client: ControlClient) -> list[Found]:
        session = await find_session(client, args.session) if args.session else None
        return await client.call_as(
            list[Found],
            "sessions.search",
            text=" ".join(args.text),
            limit=args.limit,
            session_id=session.session_id if session else None,
        )

    found = with_node(args, work)
    if args.json:
        print_json(found)
        return 0
    if not found:
        print("Nothing was found.")
    for one in found:
        title = style.one_line(one.title, 40)
        head = f"{one.session_id[:8]} {one.message_id} {one.role}, {style.moment(one.created)}"
        print(f"{style.bold(head)}  {title}")
        print(f"    {style.one_line(_marked(one), 400)}")
    return 0


def _marked(found: Found) -> str:
    """The snippet with its words between asterisks."""
    parts: list[str] = []
    at = 0
    for start, end in found.marks:
        parts += [found.snippet[at:start], "*", found.snippet[start:end], "*"]
        at = end
    return "".join([*parts, found.snippet[at:]])
