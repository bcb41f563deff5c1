"""Puts a question together: which messages of the chat go along, with which options.

Nothing is sent or paid here, and what does not fit is refused here, before anything is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.control.protocol.sessions import ContextInfo
from engine.session.books import ChatBooks
from engine.session.chat_settings import ChatSettings, SessionSettings
from engine.session.context import Fit, Room, fit, refuse
from engine.session.files.attach import is_picture
from engine.session.prompt import messages_of, sent_of
from engine.wire.quote import ModelOffer
from wallet.store import ChatSession, Enclosed, Measured

DEFAULTS = "chats.defaults"
TRIM = "trim"


@dataclass(frozen=True, slots=True)
class Composed:
    """A question as it is sent. `earlier` counts the chat's messages before it."""

    messages: list[dict[str, Any]] = field(repr=False)
    params: dict[str, Any] = field(repr=False)
    earlier: int
    earlier_bytes: int


@dataclass(frozen=True, slots=True)
class Branch:
    """The messages of a chat that would be sent, measured; the question last."""

    own: ChatSettings
    sent: list[Measured]
    room: Room
    fitted: Fit

    @property
    def info(self) -> ContextInfo:
        return ContextInfo(
            used=self.fitted.tokens, bound=self.room.bound, left_out=self.fitted.start
        )

    def check(self, *, trim: bool) -> None:
        """Raises ContextFull when the question is to be refused."""
        system = len(self.own.system.encode())
        if not fit(self.sent[-1:], self.room, system_bytes=system).whole:
            raise refuse(self.room, question_alone=True)
        if not self.fitted.whole and not trim:
            raise refuse(self.room, question_alone=False)


class Composer:
    """Reads chats and makes questions of them."""

    def __init__(self, books: ChatBooks, settings: SessionSettings) -> None:
        self._books = books
        self._settings = settings

    async def defaults(self) -> ChatSettings:
        """What the user wants of chats that chose nothing."""
        kept = await self._books.disk.settings.get(DEFAULTS)
        return ChatSettings.of(json.loads(kept)) if kept else ChatSettings()

    async def set_defaults(self, changes: Mapping[str, Any]) -> ChatSettings:
        changed = (await self.defaults()).changed(changes)
        await self._books.disk.settings.set(DEFAULTS, json.dumps(changed.plain()))
        return changed

    async def own(self, chat: ChatSession) -> ChatSettings:
        """The chat's settings, with the defaults where it chose nothing."""
        own, usual, node = ChatSettings.of(chat.settings), await self.defaults(), self._settings
        return ChatSettings(
            system=own.system or usual.system,
            params={**usual.params, **own.params},
            failover=own.failover or usual.failover or node.failover,
            full=own.full or usual.full or node.full,
            rotate_after=own.rotate_after or usual.rotate_after or node.rotate_after,
        )

    async def branch(
        self,
        chat: ChatSession,
        offer: ModelOffer | None,
        *,
        leaf: int | None = None,
        extra: Measured | None = None,
        max_tokens: int | None = None,
    ) -> Branch:
        """The branch that ends at `leaf` (the chat's), with the question `extra` to come."""
        own = await self.own(chat)
        measured = await self._books.of(chat.session_id).messages.measure(chat.session_id, leaf)
        sent = sent_of(measured)
        if extra is not None:
            sent.append(extra)
        room = room_of(offer, max_tokens)
        return Branch(own, sent, room, fit(sent, room, system_bytes=len(own.system.encode())))

    async def compose(
        self,
        chat: ChatSession,
        message_id: int,
        offer: ModelOffer,
        params: Mapping[str, Any],
        *,
        trim: bool | None,
    ) -> Composed:
        """The question in this message. Raises ContextFull."""
        most = params.get("max_tokens")
        branch = await self.branch(chat, offer, leaf=message_id, max_tokens=most)
        branch.check(trim=branch.own.full == TRIM if trim is None else trim)
        chosen = branch.sent[branch.fitted.start :]
        book = self._books.of(chat.session_id).messages
        numbers = [one.message_id for one in chosen]
        found = await book.take(numbers)
        files = await book.files([one.message_id for one in chosen if one.file_bytes])
        options = {**branch.own.params, **params}
        # Some providers take calls only from who offers tools.
        tools = bool(options.get("tools")) and "tools" in offer.features
        return Composed(
            messages=messages_of(branch.own.system, found, files, tools=tools),
            params=options,
            earlier=len(chosen) - 1,
            earlier_bytes=sum(one.text_bytes + one.file_bytes for one in chosen[:-1]),
        )

    async def features(
        self, chat: ChatSession, leaf: int | None, params: Mapping[str, Any]
    ) -> frozenset[str]:
        """What the model must be able to take, for the branch that ends at `leaf`."""
        options = {**(await self.own(chat)).params, **params}
        needs = {"tools"} if options.get("tools") else set()
        book = self._books.of(chat.session_id).messages
        if any(one.pictures for one in await book.measure(chat.session_id, leaf)):
            needs.add("images")
        return frozenset(needs)


def to_come(text: str, files: Sequence[Enclosed], raw: str | None = None) -> Measured:
    """The size of a question that is not stored yet; `raw` has its tools' results."""
    pictures = [len(file.data) for file in files if is_picture(file)]
    return Measured(
        message_id=1 << 62,
        role="user",
        state="",
        text_bytes=len((raw or text).encode()),
        file_bytes=sum(len(file.data) for file in files),
        pictures=len(pictures),
        picture_bytes=sum(pictures),
    )


def room_of(offer: ModelOffer | None, max_tokens: int | None = None) -> Room:
    """The room that a model leaves; the protocol's alone while no model is known."""
    if offer is None:
        return Room.of(0, 0)
    return Room.of(offer.context, min(max_tokens or offer.max_out, offer.max_out))
