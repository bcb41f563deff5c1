"""Messages of answers under way, in the store: begun, written as they grow, completed in place.

What an earlier process left unfinished is found again here. Nothing is ever said twice in a chat,
and no text that was kept is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.errors import Peer2PromptError, WireError
from engine.market.seams import Mailboxes
from engine.session.lifeline import Lifeline
from engine.session.pickups import PickupShelf
from engine.session.record import AnswerRecord
from engine.wire.answer import MARK, plain_text
from wallet.errors import WalletError
from wallet.store import Store, UnfinishedAnswer


@dataclass(frozen=True, slots=True)
class LeftAnswer:
    """An answer that an earlier process did not see the end of."""

    ask_id: str
    chat: str
    text: str = field(repr=False)
    record: AnswerRecord
    line: Lifeline


class AnswerKeeper:
    """Keeps the messages of the answers in one store."""

    def __init__(self, store: Store, boxes: Mailboxes | None) -> None:
        self._book = store.unfinished
        self._boxes = boxes

    def line(
        self, chat: str, ask_id: str, shelf: PickupShelf | None, question: int | None = None
    ) -> Lifeline:
        """The lifeline of a question that is about to be asked; the answer follows the message
        `question`."""
        return Lifeline(self._book, self._boxes, shelf, chat=chat, ask_id=ask_id, question=question)

    async def left(self) -> list[LeftAnswer]:
        """What earlier processes left; a record that does not parse ends its message."""
        found: list[LeftAnswer] = []
        for kept in await self._book.list():
            try:
                found.append(self._read(kept))
            except WireError as error:
                await self._end_cut(kept.message_id, kept.text, error)
        return found

    def _read(self, kept: UnfinishedAnswer) -> LeftAnswer:
        record = AnswerRecord.decode(kept.data)
        line = Lifeline.taken_up(
            self._book,
            self._boxes,
            record,
            chat=kept.session_id,
            ask_id=kept.ask_id,
            message_id=kept.message_id,
        )
        return LeftAnswer(kept.ask_id, kept.session_id, kept.text, record, line)

    async def write(self, line: Lifeline, answer: str) -> None:
        """What came so far."""
        if line.message_id is not None:
            await self._book.write(line.message_id, *split(answer))

    async def finish(self, line: Lifeline, answer: str, meta: dict[str, Any]) -> None:
        """The message as it stays."""
        if line.message_id is not None:
            text, raw = split(answer)
            await self._book.finish(line.message_id, text, meta, raw)

    async def fail(
        self, line: Lifeline, answer: str, error: Peer2PromptError | WalletError, *, keep: bool
    ) -> None:
        """The answer broke off. Without any text the message goes, unless it is to be kept."""
        if line.message_id is None:
            return
        if answer or keep:
            await self._end_cut(line.message_id, answer, error)
        else:
            await self._book.drop(line.message_id)

    async def _end_cut(
        self, message_id: int, answer: str, error: Peer2PromptError | WalletError
    ) -> None:
        meta = {"state": "cut" if answer else "failed", "error": error.as_dict()}
        text, raw = split(answer)
        await self._book.finish(message_id, text, meta, raw)


def split(answer: str) -> tuple[str, str | None]:
    """An answer's text, and all of it where that is more."""
    return (plain_text(answer), answer) if MARK in answer else (answer, None)
