"""Deterministic CBOR (RFC 8949, section 4.2.1), the small part the session protocol needs.

    value = unsigned int | negative int | bytes | text | array | map with text keys | true | false

Decoding is strict: shortest lengths only, definite sizes only, map keys sorted and unique, valid
UTF-8, no tags, no floats, no null, nothing left over. So every value has exactly one encoding and
a signature over the encoding is a signature over the value. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from engine.errors import WireError

Value: TypeAlias = "int | bytes | str | bool | Sequence[Value] | Mapping[str, Value]"

MAX_DEPTH = 6
"""The deepest message (a list of proof maps inside a map) needs 3; more is never honest."""
MAX_ITEMS = 4096
"""Items in one array or map: a payment of 256 proofs needs 256."""

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _SIMPLE = 0, 1, 2, 3, 4, 5, 7
_FALSE, _TRUE = 0xF4, 0xF5


def encode(value: Value) -> bytes:
    """The one deterministic encoding of `value`."""
    out = bytearray()
    _encode(value, out, 0)
    return bytes(out)


def _encode(value: Value, out: bytearray, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WireError("A message is nested too deeply.")
    if isinstance(value, bool):
        out.append(_TRUE if value else _FALSE)
    elif isinstance(value, int):
        _head(out, *((_UINT, value) if value >= 0 else (_NINT, -1 - value)))
    elif isinstance(value, bytes | bytearray | memoryview):
        _head(out, _BYTES, len(value))
        out += value
    elif isinstance(value, str):
        raw = value.encode("utf-8")
        _head(out, _TEXT, len(raw))
        out += raw
    elif isinstance(value, Mapping):
        _encode_map(value, out, depth)
    else:
        _head(out, _ARRAY, len(value))
        for item in value:
            _encode(item, out, depth + 1)


def _encode_map(value: Mapping[str, Value], out: bytearray, depth: int) -> None:
    _head(out, _MAP, len(value))
    for raw, key in sorted((_encoded_key(key), key) for key in value):
        out += raw
        _encode(value[key], out, depth + 1)


def _encoded_key(key: str) -> bytes:
    out = bytearray()
    raw = key.encode("utf-8")
    _head(out, _TEXT, len(raw))
    return bytes(out + raw)


def _head(out: bytearray, major: int, number: int) -> None:
    top = major << 5
    if number < 24:
        out.append(top | number)
    elif number < 1 << 8:
        out += bytes((top | 24, number))
    elif number < 1 << 16:
        out.append(top | 25)
        out += number.to_bytes(2, "big")
    elif number < 1 << 32:
        out.append(top | 26)
        out += number.to_bytes(4, "big")
    elif number < 1 << 64:
        out.append(top | 27)
        out += number.to_bytes(8, "big")
    else:
        raise WireError("A number does not fit into 64 bits.")


def decode(data: bytes) -> Value:
    """The value `data` encodes; WireError when it is not the one deterministic encoding."""
    value, end = _decode(data, 0, 0)
    if end != len(data):
        raise WireError("A message has bytes after its end.")
    return value


def decode_map(data: bytes) -> dict[str, Value]:
    """Like `decode`, for the many places where only a map makes sense."""
    value = decode(data)
    if not isinstance(value, dict):
        raise WireError("A message is not a map.")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth > MAX_DEPTH:
        raise WireError("A message is nested too deeply.")
    if at >= len(data):
        raise WireError("A message ends too early.")
    first = data[at]
    if first in (_FALSE, _TRUE):
        return first == _TRUE, at + 1
    major = first >> 5
    number, at = _read_head(data, at)
    if major == _UINT:
        return number, at
    if major == _NINT:
        return -1 - number, at
    if major in (_BYTES, _TEXT):
        return _read_string(data, at, number, text=major == _TEXT)
    if major not in (_ARRAY, _MAP):
        raise WireError("A message holds a type the protocol does not use.")
    if number > MAX_ITEMS:
        raise WireError("A message holds too many items.")
    if major == _ARRAY:
        return _read_array(data, at, number, depth)
    return _read_map(data, at, number, depth)


def _read_head(data: bytes, at: int) -> tuple[int, int]:
    info = data[at] & 0x1F
    at += 1
    if info < 24:
        return info, at
    if info > 27:
        raise WireError("A message uses a length form the protocol does not allow.")
    size = 1 << (info - 24)
    if at + size > len(data):
        raise WireError("A message ends too early.")
    number = int.from_bytes(data[at : at + size], "big")
    smallest = 24 if size == 1 else 1 << (8 * (size // 2))
    if number < smallest:
        raise WireError("A message holds a number that is not in its shortest form.")
    return number, at + size


def _read_string(data: bytes, at: int, size: int, *, text: bool) -> tuple[Value, int]:
    end = at + size
    if end > len(data):
        raise WireError("A message ends too early.")
    raw = bytes(data[at:end])
    if not text:
        return raw, end
    try:
        return raw.decode("utf-8"), end
    except UnicodeDecodeError:
        raise WireError("A message holds text that is not UTF-8.") from None


def _read_array(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    items: list[Value] = []
    for _ in range(count):
        item, at = _decode(data, at, depth + 1)
        items.append(item)
    return items, at


def _read_map(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    items: dict[str, Value] = {}
    before = b""
    for _ in range(count):
        start = at
        key, at = _decode(data, at, depth + 1)
        raw_key = bytes(data[start:at])
        if not isinstance(key, str):
            raise WireError("A message has a key that is not text.")
        if raw_key <= before:
            raise WireError("A message has its keys out of order or twice.")
        before = raw_key
        items[key], at = _decode(data, at, depth + 1)
    return items, at
