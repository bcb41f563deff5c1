"""What an answer is made of, inside its one stream of text.

    answer = text *( U+001E letter body )
    t  text to show          body: the text itself; an answer begins in this part without a header
    r  reasoning             body: the text itself
    f  words of refusal      body: the text itself, said by the provider's model
    c  one tool call         body: JSON object {"id", "name", "arguments"}; arguments: JSON text
    e  one embedding         body: JSON object {"index", "embedding"}; base64, little-endian float32

A part goes on to the next U+001E or to the end. A letter of a later version is skipped with its
body, so that an old client still shows the text. U+001E in a provider's words becomes U+FFFD; in
JSON it is always escaped. The writer is the ghost's, the reader the client's: the reader takes any
text in any pieces and never raises, because what was paid for is to be shown as far as it can be.
Pure. Wire format: docs/protocol-session.md, "Parts of an answer".
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.errors import WireError

MARK = "\x1e"
REPLACEMENT = "\ufffd"
TEXT, REASONING, REFUSAL, CALL, EMBEDDING = "t", "r", "f", "c", "e"
_RUNS = frozenset({TEXT, REASONING, REFUSAL})
_WHOLE = frozenset({CALL, EMBEDDING})
MAX_INDEX = 1 << 32


@dataclass(frozen=True, slots=True)
class Text:
    """More text of one kind: TEXT, REASONING or REFUSAL."""

    kind: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """The model asks for a tool. `arguments` is JSON text as the model wrote it: not checked."""

    id: str
    name: str = field(repr=False)
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Vector:
    """The embedding of input `index`."""

    index: int
    values: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part that should hold JSON of its kind and does not."""

    kind: str


Part: TypeAlias = Text | Call | Vector | Unreadable


class AnswerWriter:
    """Text of the wire for one answer, event by event; the pieces joined are the answer."""

    __slots__ = ("_kind",)

    def __init__(self) -> None:
        self._kind = TEXT

    def text(self, text: str) -> str:
        return self._run(TEXT, text)

    def reasoning(self, text: str) -> str:
        return self._run(REASONING, text)

    def refusal(self, text: str) -> str:
        return self._run(REFUSAL, text)

    def call(self, call_id: str, name: str, arguments: str) -> str:
        return self._whole(CALL, {"id": call_id, "name": name, "arguments": arguments})

    def embedding(self, index: int, values: Sequence[float]) -> str:
        """Raises WireError for a value that a float32 cannot hold."""
        try:
            raw = struct.pack(f"<{len(values)}f", *values)
        except (OverflowError, struct.error):
            raise WireError("An embedding holds a number out of range.") from None
        packed = base64.b64encode(raw).decode("ascii")
        return self._whole(EMBEDDING, {"index": index, "embedding": packed})

    def _run(self, kind: str, text: str) -> str:
        if not text:
            return ""
        head = "" if kind == self._kind else MARK + kind
        self._kind = kind
        return head + _sendable(text).replace(MARK, REPLACEMENT)

    def _whole(self, kind: str, body: dict[str, object]) -> str:
        self._kind = kind
        return MARK + kind + _sendable(json.dumps(body, ensure_ascii=False, separators=(",", ":")))


class AnswerReader:
    """Parts of an answer from its text in pieces of any size.

    Text comes out as it comes in; a call or an embedding when its part is over. What is held back
    is at most one such part, and an answer's size is bounded by the session.
    """

    __slots__ = ("_held", "_kind", "_marked")

    def __init__(self) -> None:
        self._kind = TEXT
        self._marked = False
        self._held: list[str] = []

    def feed(self, text: str) -> list[Part]:
        """The parts, or pieces of parts, that `text` brings."""
        parts: list[Part] = []
        for index, piece in enumerate(text.split(MARK)):
            if index:
                parts += self._finish()
                self._kind, self._marked = "", True
            if self._marked and piece:
                self._kind, piece, self._marked = piece[0], piece[1:], False
            if self._kind in _WHOLE:
                self._held.append(piece)
            elif piece and self._kind in _RUNS:
                parts.append(Text(self._kind, piece))
        return parts

    def end(self) -> list[Part]:
        """The last part, if it was held back; the answer is over."""
        return self._finish()

    def _finish(self) -> list[Part]:
        kind, body = self._kind, "".join(self._held)
        self._held.clear()
        if kind not in _WHOLE:
            return []
        self._kind = ""
        return [_read_call(body) if kind == CALL else _read_vector(body)]


def read_answer(answer: str) -> list[Part]:
    """All parts of a whole answer; neighbouring text of one kind is one part."""
    reader = AnswerReader()
    return joined([*reader.feed(answer), *reader.end()])


def joined(parts: Iterable[Part]) -> list[Part]:
    """`parts` with neighbouring text of one kind put together."""
    whole: list[Part] = []
    for part in parts:
        last = whole[-1] if whole else None
        if isinstance(part, Text) and isinstance(last, Text) and part.kind == last.kind:
            whole[-1] = Text(part.kind, last.text + part.text)
        else:
            whole.append(part)
    return whole


def plain_text(answer: str) -> str:
    """What a client that knows only text shows: text and words of refusal, nothing else."""
    if MARK not in answer:
        return answer
    shown = (TEXT, REFUSAL)
    parts = read_answer(answer)
    return "".join(part.text for part in parts if isinstance(part, Text) and part.kind in shown)


def _sendable(text: str) -> str:
    """A lone surrogate cannot be sent as UTF-8."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _read_call(body: str) -> Part:
    found = _object(body)
    values = [found.get(key) for key in ("id", "name", "arguments")]
    if found.keys() != {"id", "name", "arguments"}:
        return Unreadable(CALL)
    call_id, name, arguments = values
    if isinstance(call_id, str) and isinstance(name, str) and isinstance(arguments, str):
        return Call(_sendable(call_id), _sendable(name), _sendable(arguments))
    return Unreadable(CALL)


def _read_vector(body: str) -> Part:
    found = _object(body)
    index, packed = found.get("index"), found.get("embedding")
    if found.keys() != {"index", "embedding"} or not isinstance(packed, str):
        return Unreadable(EMBEDDING)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < MAX_INDEX:
        return Unreadable(EMBEDDING)
    try:
        raw = base64.b64decode(packed, validate=True)
        return Vector(index, struct.unpack(f"<{len(raw) // 4}f", raw))
    except (binascii.Error, ValueError, struct.error):
        return Unreadable(EMBEDDING)


def _object(body: str) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
