"""How much of a chat fits into a model's context, and what is left out when it does not.

Tokens are estimated from bytes as the meter does it. What is left out is a function of the branch
alone: a whole half of the room is freed at a time, beginning at a question, so that between two
such cuts every question begins with the same bytes as the one before, and is found in the
provider's cache. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import Peer2PromptError
from engine.market.meter import BYTES_PER_TOKEN, tokens_of
from engine.market.weight import IMAGE_BYTES
from wallet.store import Measured

MAX_BODY_BYTES = 960_000
"""Of the protocol's 1,000,000, with room for the options."""
MAX_MESSAGES = 2_000
FRAME_BYTES = 32
"""Of JSON around each message."""


class ContextFull(Peer2PromptError):
    """The chat is longer than the model's context. Nothing was sent or paid."""

    code = "context_full"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Room:
    """What a question may hold, answer not included: bytes as the meter counts them. `bound` is the
    model's context in tokens, 0 when it is not known."""

    metered: int
    bound: int = 0

    @classmethod
    def of(cls, context: int, max_out: int) -> Room:
        """The room beside an answer of `max_out` tokens, which may take half of the context."""
        if not context:
            return cls(MAX_BODY_BYTES)
        answer = min(max_out, context // 2)
        return cls(min(MAX_BODY_BYTES, (context - answer) * BYTES_PER_TOKEN), context)


@dataclass(frozen=True, slots=True)
class Load:
    """What messages take: bytes on the way, bytes as the meter counts them, and how many."""

    sent: int = 0
    metered: int = 0
    messages: int = 0

    @classmethod
    def of(cls, message: Measured) -> Load:
        pictures = message.picture_bytes * 4 // 3
        plain = message.text_bytes + message.file_bytes - message.picture_bytes + FRAME_BYTES
        spared = max(0, pictures - message.pictures * IMAGE_BYTES)
        return cls(plain + pictures, plain + pictures - spared, 1)

    def __add__(self, other: Load) -> Load:
        return Load(
            self.sent + other.sent,
            self.metered + other.metered,
            self.messages + other.messages,
        )

    def __sub__(self, other: Load) -> Load:
        return Load(
            self.sent - other.sent,
            self.metered - other.metered,
            self.messages - other.messages,
        )

    def fits(self, room: Room, share: int = 1) -> bool:
        """Whether it fits into one `share`th of the room."""
        return (
            self.metered * share <= room.metered
            and self.sent * share <= MAX_BODY_BYTES
            and self.messages * share <= MAX_MESSAGES
        )


@dataclass(frozen=True, slots=True)
class Fit:
    """`start` is the place of the first message that is sent; `whole` whether all fit."""

    start: int
    load: Load
    whole: bool

    @property
    def tokens(self) -> int:
        """As the meter estimates them."""
        return tokens_of(self.load.metered)


def fit(sent: Sequence[Measured], room: Room, *, system_bytes: int = 0) -> Fit:
    """Where to begin, for the messages that would be sent, so that they fit."""
    system = Load(system_bytes, system_bytes)
    start, load, total = 0, system, system
    for place, message in enumerate(sent):
        one = Load.of(message)
        load, total = load + one, total + one
        if message.role != "user" or load.fits(room):
            continue
        while start < place and (not load.fits(room, 2) or sent[start].role != "user"):
            load -= Load.of(sent[start])
            start += 1
    return Fit(start, load, total.fits(room))


def refuse(room: Room, *, question_alone: bool) -> ContextFull:
    """The error for a question that does not fit."""
    bound = f"{room.bound} tokens" if room.bound else f"{room.metered} bytes"
    if question_alone:
        return ContextFull(
            f"The question alone is longer than the model takes ({bound}, its answer included).",
            kept="Nothing was sent and nothing was paid.",
            hint="Shorten it, attach less, or choose a model with a larger context.",
        )
    return ContextFull(
        f"The chat is longer than the model takes ({bound}, the answer included).",
        kept="Nothing was sent and nothing was paid; the chat is as it was.",
        hint="Let the oldest messages be left out (full = trim), go on from an earlier message "
        "on a branch, or choose a model with a larger context.",
    )
