"""Checks for the fields of a decoded message: one small function per kind of field.

A `Kind` takes a decoded value and returns the checked one or raises WireError. The words never
repeat the value: it may be part of a prompt, an answer or a payment. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias, TypeVar

from engine.errors import WireError
from engine.wire.cbor import Value

Kind: TypeAlias = "Callable[[Value], Any]"
Fields: TypeAlias = "Mapping[str, Kind]"
T = TypeVar("T")

MAX_AMOUNT = 2**53
"""Largest amount or count: stays exact in every JSON reader, and no honest amount is larger."""


def uint(maximum: int = MAX_AMOUNT, minimum: int = 0) -> Kind:
    """A whole number in [minimum, maximum]."""

    def check(value: Value) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise WireError("A field that must be a number is not one.")
        if not minimum <= value <= maximum:
            raise WireError("A number in a message is out of its range.")
        return value

    return check


def octets(*sizes: int) -> Kind:
    """Bytes of one of the given lengths."""

    def check(value: Value) -> bytes:
        if not isinstance(value, bytes) or len(value) not in sizes:
            raise WireError("A field that must be bytes of a fixed length is not.")
        return value

    return check


def blob(maximum: int) -> Kind:
    """Bytes of any length up to `maximum`."""

    def check(value: Value) -> bytes:
        if not isinstance(value, bytes) or len(value) > maximum:
            raise WireError("A bytes field is missing or too long.")
        return value

    return check


def text(maximum: int) -> Kind:
    """Text of at most `maximum` bytes of UTF-8."""

    def check(value: Value) -> str:
        if not isinstance(value, str) or len(value.encode("utf-8")) > maximum:
            raise WireError("A text field is missing or too long.")
        return value

    return check


def flag(value: Value) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise WireError("A field that must be true or false is neither.")
    return value


def many(kind: Kind, maximum: int, minimum: int = 0) -> Kind:
    """A list of `minimum` to `maximum` values of one kind, as a tuple."""

    def check(value: Value) -> tuple[Any, ...]:
        if not isinstance(value, list) or not minimum <= len(value) <= maximum:
            raise WireError("A list in a message is missing, too short or too long.")
        return tuple(kind(item) for item in value)

    return check


def record(build: Callable[..., T], kinds: Fields) -> Kind:
    """A nested map with exactly the keys of `kinds`."""

    def check(value: Value) -> T:
        if not isinstance(value, dict):
            raise WireError("A field that must be a map is not one.")
        return build(**take(value, kinds))

    return check


def take(found: Mapping[str, Value], kinds: Fields) -> dict[str, Any]:
    """The checked fields; WireError when a key is missing or not known."""
    if found.keys() != kinds.keys():
        raise WireError("A message has unknown keys or lacks some.")
    return {key: kind(found[key]) for key, kind in kinds.items()}


def dump(value: Any) -> Value:
    """A dataclass as a map of its fields, recursively; plain values as they are."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: dump(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [dump(item) for item in value]
    plain: Value = value
    return plain
