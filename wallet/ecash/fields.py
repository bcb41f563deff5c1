"""Reading what strangers wrote: base64, CBOR and the types inside, each wrong one an EcashError.

Shared by tokens and payment requests; knows neither.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from typing import Any

import cbor2

from wallet.ecash.errors import EcashError
from wallet.ecash.types import MAX_AMOUNT

MAX_ITEMS = 1_000


def from_base64(text: str) -> bytes:
    """Bytes of either alphabet, with or without padding. Raises EcashError."""
    body = text.rstrip("=")
    # Both alphabets are in use; mixing them or any other character is refused by validate.
    body = body.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise EcashError("it is not base64") from exc


def from_cbor(data: bytes) -> object:
    """One CBOR item and nothing after it; no map may name a key twice."""
    stream = io.BytesIO(data)
    try:
        body: object = cbor2.CBORDecoder(
            stream, max_depth=8, allow_duplicate_keys=False, strict_hashable_types=True
        ).decode()
    except (cbor2.CBORError, ValueError, OverflowError, EOFError) as exc:
        raise EcashError("it is not valid CBOR") from exc
    if stream.tell() != len(data):
        raise EcashError("there is something after its end")
    return body


def no_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """For `object_pairs_hook` of json: raises ValueError for a name that occurs twice."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice in one JSON object")
    return result


def object_of(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise EcashError("a part that should be a map is not")
    return value


def list_of(value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise EcashError("a part that should be a list is not, or is too long")
    return value


def bytes_of(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise EcashError("a part that should be bytes is not")
    return value


def text_of(value: object, limit: int) -> str:
    """A text of at most `limit` characters. Raises EcashError."""
    if not isinstance(value, str) or len(value) > limit:
        raise EcashError("a part that should be text is not, or is too long")
    try:
        value.encode()
    except UnicodeEncodeError as exc:  # JSON can smuggle lone surrogates
        raise EcashError("a text in it is not valid Unicode") from exc
    return value


def amount_of(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_AMOUNT:
        raise EcashError("an amount in it is not a positive number")
    return value
