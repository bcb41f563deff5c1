"""The body of a REACH cell: a neighbour asks where it is seen and whether it can be reached.

    question = 1 || id 8 || port u16 || zeros
    answer   = 2 || id 8 || verdict u8 || address || zeros       address as in CREATE's EXTEND

It is a cell of the link, not a message of a stream: only the neighbour itself can ask, never
somebody behind a circuit. Pure. docs/protocol.md, "Reachability".
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from engine.errors import WireError
from engine.wire.cells import BODY_BYTES
from engine.wire.create import encode_address, parse_address

ID_BYTES = 8
_QUESTION = struct.Struct(f">B{ID_BYTES}sH")
_ANSWER = struct.Struct(f">B{ID_BYTES}sB")
_ASKS, _ANSWERS = 1, 2


class Verdict(enum.IntEnum):
    """What came of dialling the neighbour back."""

    NOT_REACHED = 0
    REACHED = 1  # it answered there and proved its NodeID
    NOT_TRIED = 2  # too many questions of late, or an address that is not dialled


@dataclass(frozen=True, slots=True)
class ReachQuestion:
    """Dial me back on this port of the address that you see me at."""

    name: bytes
    port: int


@dataclass(frozen=True, slots=True)
class ReachAnswer:
    """The address that was dialled, or would have been."""

    name: bytes
    verdict: Verdict
    host: str
    port: int


def encode_question(question: ReachQuestion) -> bytes:
    """The body of a question."""
    if len(question.name) != ID_BYTES or not 0 < question.port <= 0xFFFF:
        raise ValueError("a question has the wrong id or port")
    return _QUESTION.pack(_ASKS, question.name, question.port).ljust(BODY_BYTES, b"\0")


def encode_answer(answer: ReachAnswer) -> bytes:
    """The body of an answer."""
    if len(answer.name) != ID_BYTES:
        raise ValueError("an answer has the wrong id")
    head = _ANSWER.pack(_ANSWERS, answer.name, answer.verdict)
    return (head + encode_address(answer.host, answer.port)).ljust(BODY_BYTES, b"\0")


def parse_reach(body: bytes | memoryview) -> ReachQuestion | ReachAnswer:
    """A question or an answer. Raises WireError."""
    data = bytes(body)
    if len(data) != BODY_BYTES:
        raise WireError("a REACH cell has the wrong length")
    if data[0] == _ASKS:
        _kind, name, port = _QUESTION.unpack_from(data)
        if not port or any(data[_QUESTION.size :]):
            raise WireError("a question about reachability is malformed")
        return ReachQuestion(name, port)
    if data[0] != _ANSWERS:
        raise WireError("a REACH cell is neither question nor answer")
    _kind, name, verdict = _ANSWER.unpack_from(data)
    host, port, end = parse_address(data, _ANSWER.size)
    if verdict not in iter(Verdict) or any(data[end:]):
        raise WireError("an answer about reachability is malformed")
    return ReachAnswer(name, Verdict(verdict), host, port)
