"""One question on its way: what it is, over which session, and how far its answer has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from engine.control.protocol.asking import Consent
from engine.errors import TooMany
from engine.session.keeper import AnswerKeeper
from engine.session.lifeline import Lifeline
from engine.session.opening import Pinned
from engine.session.preferences import Preferences
from engine.session.telling import Teller
from engine.wire.shape import ShapePlan


@dataclass
class Question:
    """See the module. `chat` is empty for a raw question."""

    ask_id: str
    chat: str
    want: Preferences
    plan: ShapePlan
    teller: Teller
    keeper: AnswerKeeper | None = None
    message_id: int | None = None
    """The question's message in the chat."""
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    settle: bool = False
    trim: bool | None = None
    again: bool = False
    """It was asked before: it may have other answers."""
    elsewhere: bool = False
    """The user wants another ghost to be asked."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    pinned: Pinned | None = None
    line: Lifeline | None = None
    written: int = 0
    """Pieces of the answer that are in the store."""
    taken_up: bool = False
    """An earlier process asked it."""
    resting: bool = False
    """This process ends first; the next one takes it up."""
    earlier: int = 0
    """Messages of the chat that go along with it."""
    earlier_bytes: int = 0
    ghosts: int = 0
    """That were asked so far."""
    consent: Consent | None = None
    """What another ghost would be shown, when the user is to be asked."""

    def __repr__(self) -> str:
        return f"Question(ask_id={self.ask_id!r})"

    async def write_down(self) -> None:
        """What has come of the answer, so that a sudden death loses little of it."""
        if self.line is None or self.keeper is None or len(self.teller.raw) == self.written:
            return
        self.written = len(self.teller.raw)
        await self.keeper.write(self.line, self.teller.shown)


def still_answering() -> TooMany:
    """The error for a second question while the first is being answered."""
    return TooMany("This chat is still answering.", hint="Stop that answer or wait for its end.")
