"""Chats and messages as the control protocol shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.control.protocol.chats import Found
from engine.control.protocol.frames import ErrorBody
from engine.control.protocol.sessions import (
    AttachmentInfo,
    ContextInfo,
    Message,
    MessageMeta,
    Part,
    PinInfo,
    Session,
)
from engine.session.chat_settings import ChatSettings
from engine.session.tooling import results_of
from engine.wire import answer
from wallet.store import ChatMessage, ChatSession, Enclosed, Hit

KINDS = {answer.TEXT: "text", answer.REASONING: "reasoning", answer.REFUSAL: "refusal"}
META = ("cost_msat", "tokens_in", "tokens_out", "ttft_ms", "mailboxes")


def session_view(
    chat: ChatSession,
    *,
    temporary: bool,
    answering: bool,
    pin: PinInfo | None = None,
    context: ContextInfo | None = None,
) -> Session:
    """A chat; `pin` and `context` where one is looked at alone."""
    own = ChatSettings.of(chat.settings)
    return Session(
        session_id=chat.session_id,
        title=chat.title,
        model=chat.model,
        created=chat.created,
        updated=chat.updated,
        messages=chat.messages,
        shape=chat.shape,
        pinned=chat.pinned,
        archived=chat.archived,
        temporary=temporary,
        leaf=chat.leaf,
        system=own.system,
        params=own.params,
        failover=own.failover,
        full=own.full,
        rotate_after=own.rotate_after,
        answering=answering,
        pin=pin,
        context=context,
    )


def message_view(
    message: ChatMessage, siblings: Sequence[int], files: Sequence[Enclosed]
) -> Message:
    """A message with its place in the tree."""
    beside = list(siblings)
    return Message(
        message_id=message.message_id,
        role=message.role,
        text=message.text,
        created=message.created,
        meta=_meta(message.meta),
        parent=message.parent,
        siblings=beside,
        place=beside.index(message.message_id) + 1 if beside else 1,
        parts=_parts(message),
        attachments=[
            AttachmentInfo(name=f.name, mime=f.mime, bytes=len(f.data), note=f.note) for f in files
        ],
    )


def _parts(message: ChatMessage) -> list[Part]:
    parts = parts_of(message.raw) if message.raw is not None else []
    results = results_of(message).items()
    return parts + [Part(kind="result", id=call, text=content) for call, content in results]


def parts_of(raw: str) -> list[Part]:
    """An answer's parts; none when it is text alone."""
    if answer.MARK not in raw:
        return []
    return [part_view(part) for part in answer.read_answer(raw)]


def part_view(part: answer.Part) -> Part:
    if isinstance(part, answer.Text):
        return Part(kind=KINDS[part.kind], text=part.text)
    if isinstance(part, answer.Call):
        return Part(kind="call", id=part.id, name=part.name, text=part.arguments)
    if isinstance(part, answer.Vector):
        values = ",".join(map(repr, part.values))
        return Part(kind="embedding", id=str(part.index), text=f"[{values}]")
    return Part(kind="unreadable")


def hit_view(hit: Hit) -> Found:
    return Found(
        session_id=hit.session_id,
        message_id=hit.message_id,
        title=hit.title,
        role=hit.role,
        created=hit.created,
        archived=hit.archived,
        snippet=hit.snippet,
        marks=list(hit.marks),
    )


def _meta(meta: Mapping[str, Any]) -> MessageMeta:
    known: dict[str, Any] = {name: meta.get(name) for name in META}
    error = meta.get("error")
    return MessageMeta(
        **known,
        state=meta.get("state", "done"),
        by_mail=meta.get("by_mail", False),
        error=ErrorBody(**error) if isinstance(error, dict) else None,
        model=meta.get("model", ""),
        ghost=meta.get("ghost", ""),
    )
