"""The exact meter of an open model: a client that has its tokenizer counts for itself.

Beside the bounds in bytes that hold for every model (`meter`), a bill may then name no more tokens
than the tokenizer finds, with a little room: a model that samples may say a text in other tokens
than the tokenizer would, ends it with one that has no text, and nodes format roles a little
differently. What cannot be counted (tools, pictures, embeddings) is left to the bytes. Pure, but
for the counting itself, which is somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.market.meter import Counts
from engine.market.overbilled import overbilled
from engine.wire.answer import REASONING, TEXT, Text, read_answer

ROOM_IN = 8
ROOM_OUT = 8
ROOM_OUT_SHARE = 16
"""One token in so many may be split otherwise than the tokenizer would."""
PLAIN = frozenset({"role", "content"})


class TokenCounter(Protocol):
    """A model's tokenizer. `count_prompt` raises ValueError for what its template does not take."""

    def count(self, text: str) -> int: ...
    def count_prompt(self, messages: Sequence[Mapping[str, Any]]) -> int: ...


@dataclass(frozen=True, slots=True)
class ExactMeter:
    """For one question. `tin` is its tokens as counted here, None when they cannot be counted."""

    counter: TokenCounter
    tin: int | None

    @classmethod
    def of(cls, counter: TokenCounter, body: bytes) -> ExactMeter:
        """Counts the question, which takes a while when it is long."""
        return cls(counter, _count_question(counter, json.loads(body)))

    def check(self, counts: Counts, answer: bytes | bytearray) -> None:
        """Raises Overbilled when a bill names more tokens than are there."""
        if self.tin is not None and counts.tin > self.tin + ROOM_IN:
            raise overbilled("The ghost bills more input than the model's tokenizer finds.")
        spoken = _spoken(answer.decode("utf-8"))
        if spoken is None:
            return
        found = self.counter.count(spoken)
        if counts.tout > found + ROOM_OUT + -(-found // ROOM_OUT_SHARE):
            raise overbilled("The ghost bills more output than the model's tokenizer finds.")


def _count_question(counter: TokenCounter, body: Any) -> int | None:
    messages = body.get("messages") if isinstance(body, dict) else None
    if not messages or body.keys() & {"tools", "tool_choice", "response_format"}:
        return None
    if not all(m.keys() == PLAIN and isinstance(m["content"], str) for m in messages):
        return None
    try:
        return counter.count_prompt(messages)
    except ValueError:
        return None


def _spoken(answer: str) -> str | None:
    """The words of an answer, or None when it is not made of words alone."""
    words: list[str] = []
    for part in read_answer(answer):
        if not isinstance(part, Text) or part.kind not in (TEXT, REASONING):
            return None
        words.append(part.text)
    return "".join(words)
