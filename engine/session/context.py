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
    """What a question may hold, answer not included. `bound` is the model's context in tokens, 0
    when it is not known."""

    body_bytes: int
    bound: int = 0

    @classmethod
    def of(cls, context: int, max_out: int) -> Room:
        """The room beside an answer of `max_out` tokens, which may take half of the context."""
        if not context:
            return cls(MAX_BODY_BYTES)
        answer = min(max_out, context // 2)
        return cls(min(MAX_BODY_BYTES, (context - answer) * BYTES_PER_TOKEN), context)


@dataclass(frozen=True, slots=True)
class Fit:
    """`start` is the place of the first message that is sent; `whole` whether all fit."""

    start: int
    used_tokens: int
    whole: bool


def bytes_of(message: Measured) -> int:
    """What a message takes in a question; pictures grow by a third as base64."""
    return message.text_bytes + message.file_bytes * 4 // 3 + FRAME_BYTES


def fit(sent: Sequence[Measured], room: Room, *, system_bytes: int = 0) -> Fit:
    """Where to begin, for the messages that would be sent, so that they fit."""
    most = max(0, room.body_bytes - system_bytes)
    start = size = total = 0
    for place, message in enumerate(sent):
        size += bytes_of(message)
        total += bytes_of(message)
        full = size > most or place - start >= MAX_MESSAGES
        if message.role == "user" and full:
            start, size = _cut(sent, start, place, size, most // 2)
    whole = total <= most and len(sent) <= MAX_MESSAGES
    return Fit(start, tokens_of(size + system_bytes), whole)


def _cut(sent: Sequence[Measured], start: int, last: int, size: int, most: int) -> tuple[int, int]:
    """Leave out the oldest until half is free; the question at `last` stays."""
    while start < last and (
        size > most or last - start >= MAX_MESSAGES // 2 or sent[start].role != "user"
    ):
        size -= bytes_of(sent[start])
        start += 1
    return start, size


def refuse(room: Room, *, question_alone: bool) -> ContextFull:
    """The error for a question that does not fit."""
    bound = f"{room.bound} tokens" if room.bound else f"{room.body_bytes} bytes"
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
