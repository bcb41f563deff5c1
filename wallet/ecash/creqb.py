"""Payment requests in Bech32m (NUT-26): `creqb1` and fields of type, length and value.

    request    id 1, amount 2, unit 3, single use 4, mint 5 *, description 6, transport 7 *, lock 8
    transport  kind 1 (0 Nostr, 1 HTTP POST), target 2, tag 3 *
    lock       kind 1 (0 P2PK, 1 HTLC), data 2, tag 3 *
    tag        a name and values, each with its length in one byte

The same request as `wallet.ecash.requests` writes it otherwise, shorter as a QR code. Fields that
are not known are skipped, as the NUT asks; known ones must be right, and single ones single.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from wallet.ecash import bech32, conditions
from wallet.ecash.conditions import Lock
from wallet.ecash.errors import EcashError
from wallet.ecash.fields import amount_of
from wallet.ecash.requests import (
    MAX_MINTS,
    MAX_REQUEST_CHARS,
    MAX_TEXT_CHARS,
    PaymentRequest,
    PostTarget,
)
from wallet.ecash.tokens import check_mint_url

PREFIX = "creqb"
ID, AMOUNT, UNIT, SINGLE, MINT, TEXT, TRANSPORT, LOCK = range(1, 9)
KIND, DATA, TAG = 1, 2, 3
SAT = b"\x00"
NOSTR, POST = 0, 1
LOCKS = ("P2PK", "HTLC")
Fields = dict[int, list[bytes]]


def is_one(text: str) -> bool:
    """Whether this means such a request; it may still be malformed."""
    return text.strip().lower().removeprefix("cashu:").startswith(PREFIX + "1")


def decode(text: str) -> PaymentRequest:
    """Any valid request, or EcashError."""
    text = text.strip()
    if text[:6].lower() == "cashu:":
        text = text[6:]
    if len(text) > MAX_REQUEST_CHARS:
        raise EcashError("the request is too long")
    prefix, groups = bech32.split(text)
    if prefix != PREFIX or len(groups) < bech32.CHECKSUM_GROUPS:
        raise EcashError("the text does not begin like a payment request")
    if bech32.state(prefix, groups) != bech32.BECH32M:
        raise EcashError("the request is cut or mistyped")
    fields = _fields(bech32.to_bytes(groups[: -bech32.CHECKSUM_GROUPS]))
    mints = fields.get(MINT, [])
    if len(mints) > MAX_MINTS:
        raise EcashError("the request names too many mints")
    unit, amount, lock = _one(fields, UNIT), _one(fields, AMOUNT), _one(fields, LOCK)
    return PaymentRequest(
        _text(_one(fields, ID) or b""),
        None if amount is None else amount_of(_number(amount, 8)),
        "sat" if unit in (None, SAT) else _text(unit or b"", 16),
        tuple(check_mint_url(_text(mint)) for mint in mints),
        _text(_one(fields, TEXT) or b""),
        _number(_one(fields, SINGLE) or b"\x00", 1) == 1,
        tuple(_transports(fields.get(TRANSPORT, []))),
        None if lock is None else _lock(lock),
    )


def encode(request: PaymentRequest) -> str:
    """The text in capitals. Empty fields are left out; a Nostr transport cannot be written."""
    parts: list[tuple[int, bytes]] = []
    if request.id:
        parts.append((ID, request.id.encode()))
    if request.amount is not None:
        parts.append((AMOUNT, request.amount.to_bytes(8, "big")))
    parts.append((UNIT, SAT if request.unit == "sat" else request.unit.encode()))
    if request.single_use:
        parts.append((SINGLE, b"\x01"))
    parts += [(MINT, mint.encode()) for mint in request.mints]
    if request.description:
        parts.append((TEXT, request.description.encode()))
    for transport in request.transports:
        if transport.kind != "post":
            raise EcashError("only HTTP transports are written")
        target = transport.target.encode()
        parts.append((TRANSPORT, _joined([(KIND, bytes([POST])), (DATA, target)])))
    if request.lock is not None:
        parts.append((LOCK, _lock_fields(request.lock)))
    return bech32.join(PREFIX, bech32.to_groups(_joined(parts)), bech32.BECH32M)


def _fields(data: bytes) -> Fields:
    found: Fields = {}
    at = 0
    while at < len(data):
        end = at + 3 + int.from_bytes(data[at + 1 : at + 3], "big")
        if at + 3 > len(data) or end > len(data):
            raise EcashError("the request's fields are cut")
        found.setdefault(data[at], []).append(data[at + 3 : end])
        at = end
    return found


def _joined(parts: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([kind]) + len(value).to_bytes(2, "big") + value for kind, value in parts)


def _one(fields: Fields, kind: int) -> bytes | None:
    values = fields.get(kind, [])
    if len(values) > 1:
        raise EcashError("the request says one thing twice")
    return values[0] if values else None


def _number(value: bytes, width: int) -> int:
    if len(value) != width:
        raise EcashError("a number in it has the wrong size")
    return int.from_bytes(value, "big")


def _text(value: bytes, limit: int = MAX_TEXT_CHARS) -> str:
    if len(value) > limit:
        raise EcashError("a text in it is too long")
    try:
        return value.decode()
    except UnicodeDecodeError as exc:
        raise EcashError("a text in it is not valid Unicode") from exc


def _transports(values: Sequence[bytes]) -> Iterable[PostTarget]:
    """Those of a kind that is known; without a target the ecash is handed over by hand."""
    for value in values:
        fields = _fields(value)
        kind, target = _number(_one(fields, KIND) or b"", 1), _one(fields, DATA) or b""
        if kind == POST:
            yield PostTarget("post", _text(target))
        elif kind == NOSTR and target:
            yield PostTarget("nostr", target.hex())


def _lock(value: bytes) -> Lock | None:
    fields = _fields(value)
    kind = _number(_one(fields, KIND) or b"", 1)
    if kind >= len(LOCKS):
        raise EcashError("the request asks for a lock that is not known")
    tags = [_tag(tag) for tag in fields.get(TAG, [])]
    parts = {"data": _text(_one(fields, DATA) or b"", 128), "tags": tags}
    return conditions.parse(json.dumps([LOCKS[kind], parts]))


def _lock_fields(lock: Lock) -> bytes:
    kind, body = json.loads(conditions.secret(lock, ""))
    tags = [tag for tag in body["tags"] if tag != conditions.DEFAULT_FLAG]
    parts = [(KIND, bytes([LOCKS.index(kind)])), (DATA, body["data"].encode())]
    return _joined([*parts, *((TAG, _tag_bytes(tag)) for tag in tags)])


def _tag(data: bytes) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise EcashError("the request's tags are cut")
        texts.append(_text(data[at + 1 : end]))
        at = end
    return texts


def _tag_bytes(texts: Sequence[str]) -> bytes:
    raw = [str(text).encode() for text in texts]
    if any(len(text) > 255 for text in raw):
        raise EcashError("a tag of the lock is too long")
    return b"".join(bytes([len(text)]) + text for text in raw)
