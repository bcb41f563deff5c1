"""Typed messages on a byte stream: the framing that every request protocol over a stream shares.

    frame = u32 length (big-endian) || deterministic CBOR map; the key "t" names the type

A `Catalogue` knows the message types of one protocol, a `MessageReader` cuts a stream into messages
of one side. Unknown types, unknown or missing keys and non-canonical bytes raise WireError. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from engine.errors import WireError
from engine.wire import cbor
from engine.wire.schema import Fields, dump, take

LENGTH_BYTES = 4
M = TypeVar("M")


class Catalogue(Generic[M]):
    """The messages of one protocol: name on the wire -> (dataclass, its fields)."""

    def __init__(self, types: Mapping[str, tuple[type[Any], Fields]], max_message: int) -> None:
        self.max_message = max_message  # bytes of one body; a peer cannot make us hold more
        self._types = dict(types)
        self._tags = {kind: tag for tag, (kind, _) in types.items()}

    def tag(self, kind: type[Any]) -> str:
        """The name on the wire of a message type."""
        return self._tags[kind]

    def encode(self, message: M) -> bytes:
        """The message with its length in front. Raises WireError when it is too long."""
        fields = dump(message)
        body = cbor.encode({"t": self.tag(type(message)), **fields})  # type: ignore[dict-item]
        if len(body) > self.max_message:
            raise WireError("A message is too long to send.")
        return len(body).to_bytes(LENGTH_BYTES, "big") + body

    def decode(self, body: bytes) -> M:
        """The message in one frame's body (without the length). Raises WireError."""
        found = cbor.decode_map(body)
        tag = found.pop("t", None)
        if not isinstance(tag, str) or tag not in self._types:
            raise WireError("A message has a type this version does not know.")
        kind, fields = self._types[tag]
        message: M = kind(**take(found, fields))
        return message


class MessageReader(Generic[M]):
    """Cuts a byte stream into messages of one side. Holds at most one unfinished message."""

    __slots__ = ("_allowed", "_buffer", "_catalogue")

    def __init__(self, catalogue: Catalogue[M], allowed: tuple[type[Any], ...]) -> None:
        self._catalogue = catalogue
        self._allowed = allowed
        self._buffer = bytearray()

    @property
    def empty(self) -> bool:
        """Whether the stream may end here without cutting a message."""
        return not self._buffer

    def feed(self, data: bytes) -> list[M]:
        """The messages `data` completes; WireError ends the use of this reader."""
        self._buffer += data
        messages: list[M] = []
        at = 0
        while len(self._buffer) - at >= LENGTH_BYTES:
            start = at + LENGTH_BYTES
            size = int.from_bytes(self._buffer[at:start], "big")
            if not 1 <= size <= self._catalogue.max_message:
                raise WireError("A message announces a length out of range.")
            if len(self._buffer) - start < size:
                break
            message = self._catalogue.decode(bytes(self._buffer[start : start + size]))
            if not isinstance(message, self._allowed):
                raise WireError("A message came from the side that may not send it.")
            messages.append(message)
            at = start + size
        del self._buffer[:at]
        return messages
