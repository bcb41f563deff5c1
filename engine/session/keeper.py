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
    """Keeps the messages of all answers."""

    def __init__(self, store: Store, boxes: Mailboxes | None) -> None:
        self._store = store
        self._boxes = boxes

    def line(self, chat: str, ask_id: str, shelf: PickupShelf | None) -> Lifeline:
        """The lifeline of a question that is about to be asked."""
        return Lifeline(self._store.unfinished, self._boxes, shelf, chat=chat, ask_id=ask_id)

    async def left(self) -> list[LeftAnswer]:
        """What earlier processes left; a record that does not parse ends its message."""
        found: list[LeftAnswer] = []
        for kept in await self._store.unfinished.list():
            try:
                found.append(self._read(kept))
            except WireError as error:
                await self._end_cut(kept.message_id, kept.text, error)
        return found

    def _read(self, kept: UnfinishedAnswer) -> LeftAnswer:
        record = AnswerRecord.decode(kept.data)
        line = Lifeline.taken_up(
            self._store.unfinished,
            self._boxes,
            record,
            chat=kept.session_id,
            ask_id=kept.ask_id,
            message_id=kept.message_id,
        )
        return LeftAnswer(kept.ask_id, kept.session_id, kept.text, record, line)

    async def write(self, line: Lifeline, text: str) -> None:
        """What was shown so far."""
        if line.message_id is not None:
            await self._store.unfinished.write(line.message_id, text)

    async def finish(self, line: Lifeline, text: str, meta: dict[str, Any]) -> None:
        """The message as it stays."""
        if line.message_id is not None:
            await self._store.unfinished.finish(line.message_id, text, meta)

    async def fail(
        self, line: Lifeline, text: str, error: Peer2PromptError | WalletError, *, keep: bool
    ) -> None:
        """The answer broke off. Without any text the message goes, unless it is to be kept."""
        if line.message_id is None:
            return
        if text or keep:
            await self._end_cut(line.message_id, text, error)
        else:
            await self._store.unfinished.drop(line.message_id)

    async def _end_cut(
        self, message_id: int, text: str, error: Peer2PromptError | WalletError
    ) -> None:
        meta = {"state": "cut" if text else "failed", "error": error.as_dict()}
        await self._store.unfinished.finish(message_id, text, meta)
