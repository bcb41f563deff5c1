"""Which ghost each chat is with: kept in the store, so that a chat that rested, or a node that was
started again, goes on with the ghost that knows the chat already.

Leaving a ghost is the user's act, or the user's setting: after so many answers, so much time or so
much money. The next one is then shown the chat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.control.protocol.sessions import PinInfo, RotateAfter
from engine.errors import WireError
from engine.identity import short_id
from engine.session.books import ChatBooks
from engine.session.vault import SavedSession
from wallet.store import Pin


@dataclass(frozen=True, slots=True)
class Pinning:
    """A chat's ghost: its session with it, and whether that has reached a limit."""

    saved: SavedSession
    pin: Pin

    @property
    def ghost(self) -> bytes:
        return self.saved.ghost

    def is_due(self, limits: RotateAfter, now: float) -> bool:
        """Whether the chat is to leave this ghost."""
        pin = self.pin
        return (
            0 < limits.messages <= pin.messages
            or 0 < limits.age_s <= now - pin.since
            or 0 < limits.spent_msat <= pin.spent_msat
        )


class PinBook:
    """The pins of all chats."""

    def __init__(self, books: ChatBooks, is_open: Callable[[str], bool]) -> None:
        self._books = books
        self._is_open = is_open
        self._left: dict[str, bytes] = {}

    async def get(self, chat: str) -> Pinning | None:
        """The chat's ghost, if it has one."""
        pin = await self._books.of(chat).pins.get(chat)
        if pin is None:
            return None
        try:
            return Pinning(SavedSession.decode(pin.data), pin)
        except WireError:  # then any ghost will do, as after a rotation
            return None

    async def put(self, chat: str, saved: SavedSession) -> None:
        """The chat is about to show itself to this ghost."""
        known = await self.get(chat)
        self._left.pop(chat, None)
        pins, data = self._books.of(chat).pins, replace(saved, mint="", slot="").encode()
        if known is None or known.ghost != saved.ghost:
            await pins.put(chat, data)
        elif known.saved.session != saved.session:
            await pins.renew(chat, data)

    async def count(self, chat: str, cost_msat: int) -> None:
        await self._books.of(chat).pins.count(chat, cost_msat)

    async def drop(self, chat: str) -> None:
        """The next question goes to another ghost, where there is one."""
        known = await self.get(chat)
        if known is not None:
            self._left[chat] = known.ghost
            await self._books.of(chat).pins.drop(chat)

    def left(self, chat: str) -> frozenset[bytes]:
        """The ghost that the chat has left just now."""
        return frozenset([self._left[chat]]) if chat in self._left else frozenset()

    def forget(self, chat: str) -> None:
        self._left.pop(chat, None)

    async def info(self, chat: str) -> PinInfo | None:
        """For the user's own eyes."""
        known = await self.get(chat)
        if known is None:
            return None
        return PinInfo(
            ghost=short_id(known.ghost),
            since=known.pin.since,
            messages=known.pin.messages,
            spent_msat=known.pin.spent_msat,
            open=self._is_open(chat),
        )
