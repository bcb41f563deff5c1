"""Messages of a look-up stream: a client asks an exit relay for the records under one key.

    asking  : find        serving : found

One question for each stream. The relay learns a key and nothing of what it stands for, unless it
guesses the capability. Framing: engine.wire.messages. docs/protocol.md, "The DHT". Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from engine.wire.messages import Catalogue, MessageReader
from engine.wire.record import KEY_BYTES, RECORD_BYTES
from engine.wire.schema import Fields, many, octets

MAX_FOUND = 24  # records in an answer: more ghosts than a client can use
MAX_MESSAGE = 16_384


@dataclass(frozen=True, slots=True)
class Find:
    """Asks for the records under a key."""

    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """Valid records, at random where there are more."""

    records: tuple[bytes, ...] = field(repr=False)


Message: TypeAlias = Find | Found

_ASKING: dict[str, tuple[type[Find], Fields]] = {"find": (Find, {"key": octets(KEY_BYTES)})}
_SERVING: dict[str, tuple[type[Found], Fields]] = {
    "found": (Found, {"records": many(octets(RECORD_BYTES), MAX_FOUND)})
}
CATALOGUE: Catalogue[Message] = Catalogue({**_ASKING, **_SERVING}, MAX_MESSAGE)
encode, decode = CATALOGUE.encode, CATALOGUE.decode


def reader(*, serving: bool) -> MessageReader[Message]:
    """A reader for the serving side (which takes questions) or the asking side."""
    return MessageReader(CATALOGUE, (Find,) if serving else (Found,))
