"""Messages of the DHT: one link cell each way, so that no answer is larger than its question.

    body = type u8 || request id 8 || payload || zeros

    ping                                        -> pong
    find node   target 32                       -> nodes    count u8 || NodeIDs
    find value  key 32 || page u8               -> values   total u16 || n u8 || records
                                                            || count u8 || NodeIDs
    store       key 32 || record                -> stored   verdict u8 || bits u8

Contacts are NodeIDs alone: where a node is, and that it exists, is for its own signed advert to
say. Pure, strict: one encoding of each message. docs/protocol.md, "The DHT".
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.crypto.keys import NODE_ID_BYTES
from engine.crypto.memory_work import MAX_BITS
from engine.errors import WireError
from engine.wire.cells import BODY_BYTES
from engine.wire.record import KEY_BYTES, RECORD_BYTES

REQUEST_ID_BYTES = 8
MAX_CONTACTS = 20
MAX_RECORDS = 3  # in one answer
CONTACTS_WITH_RECORDS = 5  # what fits behind three records
MAX_PAGE = 255

_HEAD = struct.Struct(f">B{REQUEST_ID_BYTES}s")


class Kind(enum.IntEnum):
    """The first byte of a body. Answers have the top bit set."""

    PING = 1
    FIND_NODE = 2
    FIND_VALUE = 3
    STORE = 4
    PONG = 0x81
    NODES = 0x82
    VALUES = 0x83
    STORED = 0x84


class Verdict(enum.IntEnum):
    """What became of a record that was to be stored."""

    KEPT = 0
    STALE = 1  # a later one of this epoch key is held
    FULL = 2  # the key has no room; `bits` of work would make some
    FAR = 3  # others are closer to the key
    INVALID = 4
    BUSY = 5


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks whether the neighbour takes part."""

    request_id: bytes


@dataclass(frozen=True, slots=True)
class FindNode:
    """Asks for the members closest to a position."""

    request_id: bytes
    target: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FindValue:
    """Asks for the records under a key: those of one page, counted round."""

    request_id: bytes
    key: bytes = field(repr=False)
    page: int = 0


@dataclass(frozen=True, slots=True)
class Store:
    """Asks to keep a record under a key."""

    request_id: bytes
    key: bytes = field(repr=False)
    record: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a ping."""

    request_id: bytes


@dataclass(frozen=True, slots=True)
class Nodes:
    """The closest members that the neighbour knows."""

    request_id: bytes
    contacts: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Values:
    """Records of the page asked for, how many there are, and closer members."""

    request_id: bytes
    total: int
    records: tuple[bytes, ...] = field(repr=False)
    contacts: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a record; `bits` is the work that would do where it was not enough."""

    request_id: bytes
    verdict: Verdict
    bits: int = 0


Request: TypeAlias = Ping | FindNode | FindValue | Store
Answer: TypeAlias = Pong | Nodes | Values | Stored
Message: TypeAlias = Request | Answer


def encode(message: Message) -> bytes:
    """The body of a DHT cell. Raises ValueError for a message that `parse` would refuse."""
    kind, payload = _payload(message)
    body = _HEAD.pack(kind, message.request_id) + payload
    if len(message.request_id) != REQUEST_ID_BYTES or len(body) > BODY_BYTES:
        raise ValueError("a message does not fit its cell")
    return body.ljust(BODY_BYTES, b"\0")


def _payload(message: Message) -> tuple[Kind, bytes]:
    match message:
        case Ping():
            return Kind.PING, b""
        case FindNode(target=target):
            return Kind.FIND_NODE, target
        case FindValue(key=key, page=page):
            return Kind.FIND_VALUE, key + bytes([page])
        case Store(key=key, record=record):
            return Kind.STORE, key + record
        case Pong():
            return Kind.PONG, b""
        case Nodes(contacts=contacts):
            return Kind.NODES, _pack(contacts)
        case Values(total=total, records=records, contacts=contacts):
            head = total.to_bytes(2, "big") + bytes([len(records)])
            return Kind.VALUES, head + b"".join(records) + _pack(contacts)
        case Stored(verdict=verdict, bits=bits):
            return Kind.STORED, bytes([verdict, bits])


def _pack(contacts: tuple[bytes, ...]) -> bytes:
    return bytes([len(contacts)]) + b"".join(contacts)


def parse(body: bytes | memoryview) -> Message:
    """The message in a cell's body. Raises WireError."""
    if len(body) != BODY_BYTES:
        raise WireError("a DHT message has the wrong length")
    reader = _Reader(bytes(body))
    kind, request_id = reader.byte(), reader.take(REQUEST_ID_BYTES)
    message = _parse(kind, request_id, reader)
    reader.end()
    return message


def _parse(kind: int, request_id: bytes, reader: _Reader) -> Message:
    match kind:
        case Kind.PING:
            return Ping(request_id)
        case Kind.FIND_NODE:
            return FindNode(request_id, reader.take(KEY_BYTES))
        case Kind.FIND_VALUE:
            return FindValue(request_id, reader.take(KEY_BYTES), reader.byte())
        case Kind.STORE:
            return Store(request_id, reader.take(KEY_BYTES), reader.take(RECORD_BYTES))
        case Kind.PONG:
            return Pong(request_id)
        case Kind.NODES:
            return Nodes(request_id, reader.contacts(MAX_CONTACTS))
        case Kind.VALUES:
            return _values(request_id, reader)
        case Kind.STORED:
            return _stored(request_id, reader)
        case _:
            raise WireError("a DHT message has an unknown type")


def _values(request_id: bytes, reader: _Reader) -> Values:
    total, count = int.from_bytes(reader.take(2), "big"), reader.byte()
    if count > min(MAX_RECORDS, total):
        raise WireError("a DHT answer holds too many records")
    records = tuple(reader.take(RECORD_BYTES) for _ in range(count))
    most = CONTACTS_WITH_RECORDS if records else MAX_CONTACTS
    return Values(request_id, total, records, reader.contacts(most))


def _stored(request_id: bytes, reader: _Reader) -> Stored:
    verdict, bits = reader.byte(), reader.byte()
    if verdict not in _VERDICTS or bits > MAX_BITS:
        raise WireError("a DHT answer has an unknown verdict")
    return Stored(request_id, Verdict(verdict), bits)


_VERDICTS = frozenset(Verdict)


class _Reader:
    """Takes fields in order; an overrun is a WireError."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, size: int) -> bytes:
        part = self._body[self._at : self._at + size]
        if len(part) != size:
            raise WireError("a DHT message is cut short")
        self._at += size
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def contacts(self, most: int) -> tuple[bytes, ...]:
        count = self.byte()
        if count > most:
            raise WireError("a DHT answer names too many contacts")
        found = tuple(self.take(NODE_ID_BYTES) for _ in range(count))
        if len(set(found)) != count:
            raise WireError("a DHT answer names a contact twice")
        return found

    def end(self) -> None:
        if any(self._body[self._at :]):
            raise WireError("a DHT message has bytes left over")
