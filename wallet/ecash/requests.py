"""Payment requests (NUT-18): `creqA` and CBOR. Who asks for ecash says how much, of which mints,
locked to what, and where to bring it.

Reading is as strict as with tokens. The one transport we write is none ("in band": the payer hands
the token over the way the request came); HTTP POST is read too, Nostr is read and not used.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import cbor2

from wallet.ecash import conditions
from wallet.ecash.conditions import Lock
from wallet.ecash.errors import EcashError
from wallet.ecash.fields import (
    amount_of,
    from_base64,
    from_cbor,
    list_of,
    no_duplicates,
    object_of,
    text_of,
)
from wallet.ecash.tokens import Token, check_mint_url, check_whole, proof_from_json

PREFIX = "creqA"
MAX_REQUEST_CHARS = 1 << 14
MAX_TEXT_CHARS = 1_024
MAX_MINTS = 64


@dataclass(frozen=True, slots=True)
class PostTarget:
    """A transport: `kind` is "post" or "nostr"."""

    kind: str
    target: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """`amount` None lets the payer choose; no `mints` allows any."""

    id: str = ""
    amount: int | None = None
    unit: str = "sat"
    mints: tuple[str, ...] = ()
    description: str = ""
    single_use: bool = False
    transports: tuple[PostTarget, ...] = ()
    lock: Lock | None = None


def encode(request: PaymentRequest) -> str:
    """`creqA` text. Empty fields are left out."""
    body: dict[str, Any] = {
        "i": request.id,
        "a": request.amount,
        "u": request.unit,
        "s": request.single_use or None,
        "m": list(request.mints),
        "d": request.description,
        "t": [{"t": t.kind, "a": t.target} for t in request.transports],
    }
    if request.lock is not None:
        kind, parts = json.loads(conditions.secret(request.lock, ""))
        # Nutshell's wallet pays no request whose lock has tags, not even what holds anyway.
        tags = [tag for tag in parts["tags"] if tag != conditions.DEFAULT_FLAG]
        body["nut10"] = {"k": kind, "d": parts["data"], **({"t": tags} if tags else {})}
    shown = {name: value for name, value in body.items() if value not in (None, "", [])}
    return PREFIX + base64.urlsafe_b64encode(cbor2.dumps(shown)).decode().rstrip("=")


def decode(text: str) -> PaymentRequest:
    """Any valid request, or EcashError."""
    text = text.strip().removeprefix("cashu:")
    if len(text) > MAX_REQUEST_CHARS or not text.startswith(PREFIX):
        raise EcashError("the text does not begin like a payment request")
    fields = object_of(from_cbor(from_base64(text[len(PREFIX) :])))
    mints = list_of(fields.get("m") or [])
    if len(mints) > MAX_MINTS:
        raise EcashError("the request names too many mints")
    return PaymentRequest(
        text_of(fields.get("i") or "", MAX_TEXT_CHARS),
        None if fields.get("a") is None else amount_of(fields["a"]),
        text_of(fields.get("u") or "sat", 16),
        tuple(check_mint_url(text_of(mint, MAX_TEXT_CHARS)) for mint in mints),
        text_of(fields.get("d") or "", MAX_TEXT_CHARS),
        fields.get("s") is True,
        tuple(_transport(item) for item in list_of(fields.get("t") or [])),
        _lock(fields.get("nut10")),
    )


def payload(request_id: str, token: Token, memo: str = "") -> bytes:
    """What is posted to the one who asked (NUT-18)."""
    proofs = [
        {"amount": p.amount, "id": p.id, "secret": p.secret, "C": p.C.hex()} for p in token.proofs
    ]
    body: dict[str, object] = {"mint": token.mint, "unit": token.unit, "proofs": proofs}
    if request_id:
        body["id"] = request_id
    if memo:
        body["memo"] = memo
    return json.dumps(body).encode()


def from_payload(text: str) -> Token:
    """The ecash inside a payload somebody sent us, or EcashError."""
    try:
        fields = object_of(json.loads(text, object_pairs_hook=no_duplicates))
    except (ValueError, RecursionError) as exc:
        raise EcashError("the payment is not valid JSON") from exc
    token = Token(
        check_mint_url(text_of(fields.get("mint"), MAX_TEXT_CHARS)),
        tuple(proof_from_json(item) for item in list_of(fields.get("proofs"))),
        text_of(fields.get("unit") or "sat", 16),
        text_of(fields.get("memo") or "", MAX_TEXT_CHARS),
    )
    check_whole(token)
    return token


def _transport(item: object) -> PostTarget:
    fields = object_of(item)
    return PostTarget(text_of(fields.get("t"), 16), text_of(fields.get("a"), MAX_TEXT_CHARS))


def _lock(value: object) -> Lock | None:
    if value is None:
        return None
    fields = object_of(value)
    text = json.dumps(
        [
            text_of(fields.get("k"), 16),
            {"data": text_of(fields.get("d"), 128), "tags": list_of(fields.get("t") or [])},
        ]
    )
    return conditions.parse(text)
