"""Tokens (NUT-00): V4 (`cashuB`, CBOR) read and written, V3 (`cashuA`, JSON) only read.

Reading is strict, because a token comes from anyone: positive amounts with a sum that fits,
valid points, http(s) mints only, one mint, no bytes after the end. A token we write never carries
blinding factors: whoever holds them can link the coin to its minting.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import cbor2

from wallet.ecash.conditions import MAX_WITNESS_CHARS
from wallet.ecash.curve import parse_hex, parse_point, point, scalar
from wallet.ecash.errors import EcashError
from wallet.ecash.fields import (
    amount_of,
    bytes_of,
    from_base64,
    from_cbor,
    list_of,
    no_duplicates,
    object_of,
    text_of,
)
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
        entry: dict[str, Any] = {"a": proof.amount, "s": proof.secret, "c": proof.C}
        if proof.witness:
            entry["w"] = proof.witness
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
        token = _from_v4(from_base64(text[len(PREFIX_V4) :]))
    elif text.startswith(PREFIX_V3):
        token = _from_v3(from_base64(text[len(PREFIX_V3) :]))
    else:
        raise EcashError("the text does not begin like a token")
    check_whole(token)
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


def _from_v4(data: bytes) -> Token:
    fields = object_of(from_cbor(data))
    proofs: list[Proof] = []
    for group in list_of(fields.get("t")):
        keyset = bytes_of(object_of(group).get("i"))
        proofs += [_proof_v4(keyset.hex(), item) for item in list_of(object_of(group).get("p"))]
    return Token(
        check_mint_url(text_of(fields.get("m"), MAX_URL_CHARS)),
        tuple(proofs),
        text_of(fields.get("u"), 16),
        text_of(fields.get("d", ""), MAX_MEMO_CHARS),
    )


def _proof_v4(keyset: str, item: object) -> Proof:
    fields = object_of(item)
    signature = bytes_of(fields.get("c"))
    point(signature)
    dleq = None
    if fields.get("d") is not None:
        raw = object_of(fields["d"])
        dleq = ProofDleq(*(scalar(bytes_of(raw.get(name))) for name in ("e", "s", "r")))
    return Proof(
        amount_of(fields.get("a")),
        _keyset(keyset),
        text_of(fields.get("s"), MAX_SECRET_CHARS),
        signature,
        dleq,
        text_of(fields.get("w") or "", MAX_WITNESS_CHARS),
    )


def _from_v3(data: bytes) -> Token:
    try:
        fields = object_of(json.loads(data, object_pairs_hook=no_duplicates))
    except (ValueError, RecursionError) as exc:
        raise EcashError("the token is not valid JSON") from exc
    entries = [object_of(entry) for entry in list_of(fields.get("token"))]
    mints = {check_mint_url(text_of(entry.get("mint"), MAX_URL_CHARS)) for entry in entries}
    if len(mints) != 1:
        raise EcashError("a token must be of exactly one mint")
    proofs = [proof_from_json(item) for entry in entries for item in list_of(entry.get("proofs"))]
    return Token(
        mints.pop(),
        tuple(proofs),
        text_of(fields.get("unit") or "sat", 16),
        text_of(fields.get("memo") or "", MAX_MEMO_CHARS),
    )


def proof_from_json(item: object) -> Proof:
    """A proof in the JSON form of V3 tokens and NUT-18 payloads."""
    fields = object_of(item)
    dleq = None
    if fields.get("dleq") is not None:
        raw = object_of(fields["dleq"])
        dleq = ProofDleq(*(scalar(parse_hex(text_of(raw.get(n), 64), 32)) for n in ("e", "s", "r")))
    return Proof(
        amount_of(fields.get("amount")),
        _keyset(text_of(fields.get("id"), V2_HEX)),
        text_of(fields.get("secret"), MAX_SECRET_CHARS),
        parse_point(text_of(fields.get("C"), 66)),
        dleq,
        text_of(fields.get("witness") or "", MAX_WITNESS_CHARS),
    )


def check_whole(token: Token) -> None:
    """EcashError for a token of no or too many proofs, with one twice, or of too large a sum."""
    if not 0 < len(token.proofs) <= MAX_PROOFS:
        raise EcashError("a token holds between 1 and 1,000 proofs")
    if len({proof.secret for proof in token.proofs}) != len(token.proofs):
        raise EcashError("the token holds the same proof twice")
    if token.amount > MAX_AMOUNT:
        raise EcashError("the token's amount is too large")


def _keyset(text: str) -> str:
    lowered_hex = all(c in "0123456789abcdef" for c in text)
    if lowered_hex and len(text) in (SHORT_HEX, V2_HEX) and text[:2] in ("00", "01"):
        return text
    raise EcashError("unknown kind of keyset id")
