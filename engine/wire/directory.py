"""Messages of a directory stream: how two nodes compare and complete their sets of adverts.

    asking  : sum  list  get  put  sheet
    serving : summary  ids  adverts  kept  offer

One request at a time, one answer each. An advert's id is a hash of its bytes, so that two sets can
be compared without sending them. Nothing here trusts an advert: who stores one has verified it.
Framing: engine.wire.messages. Wire format: docs/protocol.md, "Directory". Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from engine.errors import WireError
from engine.wire.advert import MAX_ADVERT_BYTES
from engine.wire.messages import Catalogue, MessageReader
from engine.wire.schema import Fields, Kind, blob, many, octets, uint
from engine.wire.sheet import MAX_SHEET_BYTES

BUCKETS = 256  # by the first byte of the NodeID
ID_BYTES = 8
BUCKET_HASH_BYTES = 16
MAX_IDS = 65_536  # in one list: six times the largest network planned for
MAX_ADVERTS = 512  # in one message
MAX_MESSAGE = 1 << 20
_ID_LABEL = b"peer2prompt advert id v1"
_BUCKET_LABEL = b"peer2prompt directory bucket v1"


def advert_id(raw: bytes) -> bytes:
    """Names an encoded advert: eight bytes of a hash of it."""
    return hashlib.sha256(_ID_LABEL + raw).digest()[:ID_BYTES]


def bucket_hash(ids: Iterable[bytes]) -> bytes:
    """Names a set of adverts of one bucket, whatever their order."""
    return hashlib.sha256(_BUCKET_LABEL + b"".join(sorted(ids))).digest()[:BUCKET_HASH_BYTES]


def split_ids(packed: bytes) -> list[bytes]:
    """The ids in a packed list of them."""
    return [packed[at : at + ID_BYTES] for at in range(0, len(packed), ID_BYTES)]


@dataclass(frozen=True, slots=True)
class Sum:
    """Asks for the hashes of all buckets."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many adverts are known, and the hash of each bucket in order."""

    count: int
    hashes: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class List:
    """Asks for the ids in these buckets (one byte each, rising)."""

    buckets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ids:
    """Advert ids, packed."""

    ids: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Get:
    """Asks for the adverts with these ids, at most MAX_ADVERTS."""

    ids: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Adverts:
    """Encoded adverts, those of the ids asked for that are known."""

    adverts: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Put:
    """Offers adverts."""

    adverts: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """How many of the adverts offered were new and valid, and how many were refused."""

    kept: int
    refused: int


@dataclass(frozen=True, slots=True)
class AskSheet:
    """Asks the serving node for its own capability sheet."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The encoded sheet, empty where the node has none."""

    sheet: bytes = field(repr=False)


Request: TypeAlias = Sum | List | Get | Put | AskSheet
Answer: TypeAlias = Summary | Ids | Adverts | Kept | Offer
Message: TypeAlias = Request | Answer


def _packed(size: int, most: int) -> Kind:
    """Bytes that are a whole number of items of `size`."""
    inner = blob(size * most)

    def check(value: object) -> bytes:
        found: bytes = inner(value)  # type: ignore[arg-type]
        if len(found) % size:
            raise WireError("A packed list in a message has a broken item.")
        return found

    return check


def _rising(value: object) -> bytes:
    found: bytes = blob(BUCKETS)(value)  # type: ignore[arg-type]
    if not found or any(a >= b for a, b in pairwise(found)):
        raise WireError("A list of buckets is empty or not in order.")
    return found


_ADVERTS = many(blob(MAX_ADVERT_BYTES), MAX_ADVERTS)
_ASKING: dict[str, tuple[type[Request], Fields]] = {
    "sum": (Sum, {}),
    "list": (List, {"buckets": _rising}),
    "get": (Get, {"ids": _packed(ID_BYTES, MAX_ADVERTS)}),
    "put": (Put, {"adverts": _ADVERTS}),
    "sheet": (AskSheet, {}),
}
_SERVING: dict[str, tuple[type[Answer], Fields]] = {
    "summary": (
        Summary,
        {"count": uint(2**32 - 1), "hashes": octets(BUCKETS * BUCKET_HASH_BYTES)},
    ),
    "ids": (Ids, {"ids": _packed(ID_BYTES, MAX_IDS)}),
    "adverts": (Adverts, {"adverts": _ADVERTS}),
    "kept": (Kept, {"kept": uint(MAX_ADVERTS), "refused": uint(MAX_ADVERTS)}),
    "offer": (Offer, {"sheet": blob(MAX_SHEET_BYTES)}),
}
CATALOGUE: Catalogue[Message] = Catalogue({**_ASKING, **_SERVING}, MAX_MESSAGE)
encode, decode = CATALOGUE.encode, CATALOGUE.decode


def reader(*, serving: bool) -> MessageReader[Message]:
    """A reader for the serving side (which takes requests) or the asking side."""
    allowed = _ASKING if serving else _SERVING
    return MessageReader(CATALOGUE, tuple(kind for kind, _ in allowed.values()))
