"""Tokens (NUT-00): V4 (`cashuB`, CBOR) read and written, V3 (`cashuA`, JSON) only read.

Reading is strict, because a token comes from anyone: positive amounts with a sum that fits,
valid points, http(s) mints only, one mint, no bytes after the end. A token we write never carries
blinding factors: whoever holds them can link the coin to its minting.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import cbor2

from wallet.ecash.curve import parse_hex, parse_point, point, scalar
from wallet.ecash.errors import EcashError
from wallet.ecash.keysets import SHORT_HEX, V2_HEX, short_id
from wallet.ecash.types import MAX_AMOUNT, Proof, ProofDleq

PREFIX_V3, PREFIX_V4 = "cashuA", "cashuB"
# About 1,000 proofs (what one mint request may hold) with room for locked secrets.
MAX_TOKEN_CHARS = 1 << 20
MAX_PROOFS = 1_000
MAX_SECRET_CHARS = 1_024
MAX_MEMO_CHARS = 1_024
MAX_URL_CHARS = 512


@dataclass(frozen=True, slots=True)
class Token:
    """Proofs of one mint. Ids may be short (8 bytes): only the mint's keysets can complete them."""

    mint: str
    proofs: tuple[Proof, ...] = field(repr=False)
    unit: str = "sat"
    memo: str = ""

    @property
    def amount(self) -> int:
        return sum(proof.amount for proof in self.proofs)


def encode_v4(token: Token) -> str:
    """`cashuB` text. Proofs are grouped by keyset in order of first appearance."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for proof in token.proofs:
        entry = {"a": proof.amount, "s": proof.secret, "c": proof.C}
        groups.setdefault(short_id(proof.id), []).append(entry)
    body: dict[str, Any] = {
        "t": [{"i": bytes.fromhex(keyset), "p": proofs} for keyset, proofs in groups.items()]
    }
    if token.memo:
        body["d"] = token.memo
    body["m"] = token.mint
    body["u"] = token.unit
    return PREFIX_V4 + base64.urlsafe_b64encode(cbor2.dumps(body)).decode().rstrip("=")


def decode(text: str) -> Token:
    """Any valid V3 or V4 token text, or EcashError."""
    text = text.strip().removeprefix("cashu:")
    if len(text) > MAX_TOKEN_CHARS:
        raise EcashError("the token is too long")
    if text.startswith(PREFIX_V4):
        token = _from_v4(_unbase64(text[len(PREFIX_V4) :]))
    elif text.startswith(PREFIX_V3):
        token = _from_v3(_unbase64(text[len(PREFIX_V3) :]))
    else:
        raise EcashError("the text does not begin like a token")
    _check_whole(token)
    return token


def check_mint_url(url: str) -> str:
    """A mint address in its one normal spelling, or EcashError."""
    if len(url) > MAX_URL_CHARS or not url.isascii() or any(c <= " " for c in url):
        raise EcashError("the mint address is not a plain URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise EcashError("the mint address is not a plain URL") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EcashError("the mint address must begin with http:// or https://")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise EcashError("the mint address must be scheme, host, port and path only")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = host if port is None else f"{host}:{port}"
    return f"{parts.scheme}://{where}{parts.path.rstrip('/')}"


def _unbase64(text: str) -> bytes:
    body = text.rstrip("=")
    # Both alphabets are in use; mixing them or any other character is refused by validate.
    body = body.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise EcashError("the token is not base64") from exc


def _from_v4(data: bytes) -> Token:
    stream = io.BytesIO(data)
    try:
        body = cbor2.CBORDecoder(
            stream, max_depth=8, allow_duplicate_keys=False, strict_hashable_types=True
        ).decode()
    except (cbor2.CBORError, ValueError, OverflowError, EOFError) as exc:
        raise EcashError("the token is not valid CBOR") from exc
    if stream.tell() != len(data):
        raise EcashError("there is something after the end of the token")
    fields = _object(body)
    proofs: list[Proof] = []
    for group in _list(fields.get("t")):
        keyset = _bytes(_object(group).get("i"))
        proofs += [_proof_v4(keyset.hex(), item) for item in _list(_object(group).get("p"))]
    return Token(
        check_mint_url(_text(fields.get("m"), MAX_URL_CHARS)),
        tuple(proofs),
        _text(fields.get("u"), 16),
        _text(fields.get("d", ""), MAX_MEMO_CHARS),
    )


def _proof_v4(keyset: str, item: object) -> Proof:
    fields = _object(item)
    signature = _bytes(fields.get("c"))
    point(signature)
    dleq = None
    if fields.get("d") is not None:
        raw = _object(fields["d"])
        dleq = ProofDleq(*(scalar(_bytes(raw.get(name))) for name in ("e", "s", "r")))
    return Proof(
        _amount(fields.get("a")),
        _keyset(keyset),
        _text(fields.get("s"), MAX_SECRET_CHARS),
        signature,
        dleq,
    )


def _from_v3(data: bytes) -> Token:
    try:
        fields = _object(json.loads(data, object_pairs_hook=_no_duplicates))
    except (ValueError, RecursionError) as exc:
        raise EcashError("the token is not valid JSON") from exc
    entries = [_object(entry) for entry in _list(fields.get("token"))]
    mints = {check_mint_url(_text(entry.get("mint"), MAX_URL_CHARS)) for entry in entries}
    if len(mints) != 1:
        raise EcashError("a token must be of exactly one mint")
    proofs = [_proof_v3(item) for entry in entries for item in _list(entry.get("proofs"))]
    return Token(
        mints.pop(),
        tuple(proofs),
        _text(fields.get("unit") or "sat", 16),
        _text(fields.get("memo") or "", MAX_MEMO_CHARS),
    )


def _proof_v3(item: object) -> Proof:
    fields = _object(item)
    dleq = None
    if fields.get("dleq") is not None:
        raw = _object(fields["dleq"])
        dleq = ProofDleq(*(scalar(parse_hex(_text(raw.get(n), 64), 32)) for n in ("e", "s", "r")))
    return Proof(
        _amount(fields.get("amount")),
        _keyset(_text(fields.get("id"), V2_HEX)),
        _text(fields.get("secret"), MAX_SECRET_CHARS),
        parse_point(_text(fields.get("C"), 66)),
        dleq,
    )


def _check_whole(token: Token) -> None:
    if not 0 < len(token.proofs) <= MAX_PROOFS:
        raise EcashError("a token holds between 1 and 1,000 proofs")
    if len({proof.secret for proof in token.proofs}) != len(token.proofs):
        raise EcashError("the token holds the same proof twice")
    if token.amount > MAX_AMOUNT:
        raise EcashError("the token's amount is too large")


def _no_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice in one JSON object")
    return result


def _keyset(text: str) -> str:
    lowered_hex = all(c in "0123456789abcdef" for c in text)
    if lowered_hex and len(text) in (SHORT_HEX, V2_HEX) and text[:2] in ("00", "01"):
        return text
    raise EcashError("unknown kind of keyset id")


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise EcashError("a part of the token that should be a map is not")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_PROOFS:
        raise EcashError("a part of the token that should be a list is not, or is too long")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise EcashError("a part of the token that should be bytes is not")
    return value


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise EcashError("a part of the token that should be text is not, or is too long")
    try:
        value.encode()
    except UnicodeEncodeError as exc:  # JSON can smuggle lone surrogates
        raise EcashError("a text in the token is not valid Unicode") from exc
    return value


def _amount(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_AMOUNT:
        raise EcashError("an amount in the token is not a positive number")
    return value
