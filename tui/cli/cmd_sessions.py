"""`peer2prompt sessions ...`: the conversations kept in the encrypted store."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from engine.control.client import ControlClient
from engine.control.protocol.sessions import Message, MessageMeta, Session
from tui.cli import style
from tui.cli.call import call_as, print_json, with_node
from tui.cli.failures import usage
from tui.cli.prompts import confirmed

_PAGE = 200


def list_all(args: argparse.Namespace) -> int:
    """Print the conversations, the latest first."""
    sessions = call_as(args, list[Session], "sessions.list", archived=args.archived)
    sessions.sort(key=lambda session: session.updated, reverse=True)
    if args.json:
        print_json(sessions)
        return 0
    rows = [
        (
            session.session_id[:8],
            style.moment(session.updated),
            session.messages,
            session.model,
            style.one_line(session.title, 40),
            _marks(session),
        )
        for session in sessions
    ]
    headings = ("id", "last used", "messages", "model", "title", "")
    style.table(headings, rows, empty="No conversation yet. Start one with `peer2prompt ask`.")
    return 0


def show(args: argparse.Namespace) -> int:
    """Print one conversation."""
    session, messages = _read(args)
    if args.json:
        print_json(_document(session, messages))
        return 0
    print(style.bold(style.one_line(session.title or session.session_id, style.width())))
    for line in _about(session):
        print(style.one_line(line, 200))
    for message in messages:
        place = f"  ({message.place} of {len(message.siblings)})" if message.siblings else ""
        head = f"{message.message_id}. {style.bold(message.role)}"
        print(f"\n{head}  {style.moment(message.created)}{place}")
        for file in message.attachments:
            print(style.one_line(f"[{file.name}, {file.bytes} bytes] {file.note}", 200))
        if message.text:
            print(style.clean(message.text))
        if note := _note(message.meta):
            print(style.one_line(f"({note})", 400))
    return 0


def delete(args: argparse.Namespace) -> int:
    """Delete one conversation, after asking."""

    async def find(client: ControlClient) -> Session:
        return await find_session(client, args.session)

    session = with_node(args, find)
    title = style.one_line(session.title or session.session_id, 50)
    if not confirmed(args, f"Delete “{title}” and its {session.messages} messages for good?"):
        print("Nothing was deleted.")
        return 0

    async def work(client: ControlClient) -> None:
        await client.call("sessions.delete", session_id=session.session_id)

    with_node(args, work)
    if args.json:
        print_json({"deleted": session.session_id})
    else:
        print(f"Deleted {session.session_id[:8]}.")
    return 0


async def find_session(client: ControlClient, start: str) -> Session:
    """The one conversation whose id begins with `start`."""
    sessions = await client.call_as(list[Session], "sessions.list", archived=True)
    found = [session for session in sessions if session.session_id.startswith(start)]
    exact = [session for session in found if session.session_id == start]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise usage(
            f"{len(found)} conversations begin with that id.", hint="Give more of its characters."
        )
    raise usage("There is no such conversation.", hint="See `peer2prompt sessions list`.")


def _read(args: argparse.Namespace) -> tuple[Session, list[Message]]:
    """A conversation and all its messages in order, read page by page."""

    async def work(client: ControlClient) -> tuple[Session, list[Message]]:
        found = await find_session(client, args.session)
        session = await client.call_as(Session, "sessions.show", session_id=found.session_id)
        messages: dict[int, Message] = {}
        before: int | None = None
        while True:
            page = await client.call_as(
                list[Message],
                "sessions.messages",
                session_id=session.session_id,
                limit=_PAGE,
                before=before,
            )
            fresh = [message for message in page if message.message_id not in messages]
            messages.update((message.message_id, message) for message in fresh)
            if not fresh or len(page) < _PAGE:
                return session, [messages[key] for key in sorted(messages)]
            before = min(message.message_id for message in fresh)

    return with_node(args, work)


def _note(meta: MessageMeta) -> str:
    """What became of an answer that did not simply stream to its end."""
    if meta.error is not None:
        return " ".join(part for part in (meta.error.message, meta.error.kept) if part)
    if meta.state == "streaming":
        return "under way"
    return "fetched from a mailbox" if meta.by_mail else ""


def _document(session: Session, messages: list[Message]) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(session)
    document["messages"] = msgspec.to_builtins(messages)
    return document


def _marks(session: Session) -> str:
    """What is special about a conversation, in words."""
    marks = {
        "pinned": session.pinned,
        "archived": session.archived,
        "temporary": session.temporary,
        "answering": session.answering,
    }
    return ", ".join(name for name, holds in marks.items() if holds)


def _about(session: Session) -> list[str]:
    """Its ghost, its context and its settings."""
    lines = []
    if session.pin is not None:
        lines.append(
            f"with ghost {session.pin.ghost} since {style.moment(session.pin.since)}: "
            f"{session.pin.messages} answers, {style.sat(session.pin.spent_msat)}"
        )
    if session.context is not None and session.context.used:
        bound = f" of {session.context.bound}" if session.context.bound else ""
        lines.append(f"{session.context.used} tokens{bound} would go with the next question")
    if session.system:
        lines.append(f"system: {session.system}")
    if session.params:
        lines.append(f"options: {json.dumps(session.params, ensure_ascii=False)}")
    return lines
