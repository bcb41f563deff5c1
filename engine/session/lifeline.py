"""What lets one answer outlive its circuit and this process: a record in the store, and pickups.

Written down before the question is sent. `fetch` looks into the mailboxes for the answer's letter.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from engine.errors import CircuitClosed, NoRoute, ProtocolError
from engine.market.letter import Letter, holds_end, read_letter
from engine.market.seams import Mailboxes, Pickup, UnfinishedBook
from engine.session.pickups import PickupShelf
from engine.session.record import AnswerRecord

LONGEST_S = 600.0
"""Awake and trying: a ghost keeps an answer for 180 s and has mailed it after less."""
VISIT_S = 60.0
"""A mailbox whose relay is silent is left for the next round."""


class Lifeline:
    """The lifeline of one answer in one message of a chat."""

    def __init__(
        self,
        book: UnfinishedBook,
        boxes: Mailboxes | None,
        shelf: PickupShelf | None,
        *,
        chat: str,
        ask_id: str,
        question: int | None = None,
        patience_s: float = LONGEST_S,
    ) -> None:
        self.message_id: int | None = None
        self.patience_s = patience_s
        """How long a lost answer is tried for while this machine is awake."""
        self._question = question
        self._book = book
        self._boxes = boxes
        self._shelf = shelf
        self._chat = chat
        self._ask_id = ask_id
        self._record: AnswerRecord | None = None
        self._pickups: tuple[Pickup, ...] = ()

    def __repr__(self) -> str:
        return f"Lifeline(pickups={len(self._pickups)})"

    @classmethod
    def taken_up(
        cls,
        book: UnfinishedBook,
        boxes: Mailboxes | None,
        record: AnswerRecord,
        *,
        chat: str,
        ask_id: str,
        message_id: int,
    ) -> Lifeline:
        """The lifeline an earlier process left. Raises WireError when its record is damaged."""
        line = cls(book, boxes, None, chat=chat, ask_id=ask_id)
        line.message_id, line._record = message_id, record
        if boxes is not None:
            line._pickups = tuple(boxes.load(raw) for raw in record.pickups)
        return line

    @property
    def can_fetch(self) -> bool:
        """Whether the ghost can send the answer to a mailbox."""
        return bool(self._pickups)

    @property
    def expires(self) -> float:
        """When the last pickup is over, unix seconds; 0 without any."""
        return max((pickup.expires for pickup in self._pickups), default=0.0)

    @property
    def blocks(self) -> tuple[bytes, ...]:
        """The reply blocks that are written down and may be handed out."""
        return tuple(pickup.block for pickup in self._pickups)

    async def begin(self, record: AnswerRecord) -> None:
        """Write the answer down; only then may the question be sent."""
        if self._shelf is not None:
            self._pickups = self._shelf.pickups
        self._record = record = record.with_pickups(_dumps(self._pickups))
        if self.message_id is None:
            self.message_id = await self._book.begin(
                self._chat, self._ask_id, record.encode(), parent=self._question
            )
        else:
            await self._book.update(self.message_id, record.encode())

    async def extend(self) -> None:
        """Wait until the session has pickups, and write them down."""
        if self._pickups or self._shelf is None or self._record is None or self.message_id is None:
            return
        pickups = await self._shelf.ready()
        self._record = self._record.with_pickups(_dumps(pickups))
        await self._book.update(self.message_id, self._record.encode())
        self._pickups = pickups

    async def fetch(self, q: int) -> Letter | None:
        """One visit to each mailbox, until one has the whole letter; the longest one found."""
        found: list[Letter] = []
        with trio.move_on_after(VISIT_S):
            async with trio.open_nursery() as nursery:

                async def visit(pickup: Pickup) -> None:
                    letter = await self._visit(pickup, q)
                    if letter is not None:
                        found.append(letter)
                        if letter.complete:
                            nursery.cancel_scope.cancel()

                for pickup in self._pickups:
                    nursery.start_soon(visit, pickup)
        return max(found, key=_weight, default=None)

    async def _visit(self, pickup: Pickup, q: int) -> Letter | None:
        if self._boxes is None:
            return None
        try:
            fetched = await self._boxes.fetch(pickup, done=lambda data: holds_end(data, q))
            return read_letter(fetched.data, q) if fetched.data else None
        except (NoRoute, CircuitClosed, ProtocolError):
            return None

    def close(self, *, used: bool) -> None:
        """The answer is over. `used`: the ghost may have mailed it."""
        if self._shelf is not None and used and self._pickups:
            self._shelf.wear_out()


def _weight(letter: Letter) -> tuple[bool, int]:
    return letter.complete, len(letter.text)


def _dumps(pickups: Sequence[Pickup]) -> tuple[bytes, ...]:
    return tuple(pickup.dump() for pickup in pickups)
