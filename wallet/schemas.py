"""The mint's JSON as typed structures (NUT-01 to 09): decoding is strict about types and sizes.

Unknown names are ignored, because mints announce more than we use; known names must be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from wallet.ecash.curve import parse_hex, parse_point
from wallet.ecash.errors import EcashError
from wallet.ecash.types import MAX_AMOUNT, BlindedMessage, BlindSignature, Proof, ProofState

Amount = Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)]
Text = Annotated[str, msgspec.Meta(max_length=1024)]
Invoice = Annotated[str, msgspec.Meta(max_length=8192)]


class MintInfo(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    description: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    motd: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    version: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    nuts: dict[str, msgspec.Raw] = {}

    def supports(self, nut: int) -> bool:
        """Whether the mint announces an optional NUT as `{"supported": true}`."""
        raw = self.nuts.get(str(nut))
        if raw is None:
            return False
        value: Any = msgspec.json.decode(raw)
        return isinstance(value, dict) and value.get("supported") is True

    def pays_parts(self, unit: str) -> bool:
        """Whether NUT-15 is announced for invoices in this unit."""
        raw = self.nuts.get("15")
        value: Any = msgspec.json.decode(raw) if raw is not None else None
        # Older mints announce the bare list.
        methods = value.get("methods") if isinstance(value, dict) else value
        return isinstance(methods, list) and any(
            isinstance(item, dict) and (item.get("method"), item.get("unit")) == ("bolt11", unit)
            for item in methods
        )

    def tells(self, unit: str, command: str) -> bool:
        """Whether NUT-17 is announced for this command, for invoices in this unit."""
        raw = self.nuts.get("17")
        value: Any = msgspec.json.decode(raw) if raw is not None else None
        listed = value.get("supported") if isinstance(value, dict) else None
        return isinstance(listed, list) and any(
            isinstance(item, dict)
            and (item.get("method"), item.get("unit")) == ("bolt11", unit)
            and isinstance(item.get("commands"), list)
            and command in item["commands"]
            for item in listed
        )

    def disabled(self) -> list[int]:
        """Minting (4) and melting (5), where the mint says `"disabled": true`."""
        found: list[int] = []
        for nut in (4, 5):
            raw = self.nuts.get(str(nut))
            value: Any = msgspec.json.decode(raw) if raw is not None else None
            if isinstance(value, dict) and value.get("disabled") is True:
                found.append(nut)
        return found


class KeysetHead(msgspec.Struct, frozen=True):
    id: Text
    unit: Text
    active: bool
    input_fee_ppk: Amount | None = None
    final_expiry: Amount | None = None


class KeysetHeads(msgspec.Struct, frozen=True):
    keysets: Annotated[list[KeysetHead], msgspec.Meta(max_length=256)]


class KeysetKeys(msgspec.Struct, frozen=True):
    id: Text
    unit: Text
    keys: Annotated[dict[str, Text], msgspec.Meta(max_length=256)]


class KeysAnswer(msgspec.Struct, frozen=True):
    keysets: Annotated[list[KeysetKeys], msgspec.Meta(max_length=256)]


class MintQuoteAnswer(msgspec.Struct, frozen=True):
    quote: Text
    request: Invoice
    state: Text
    amount: Amount | None = None
    expiry: int | None = None


class DleqAnswer(msgspec.Struct, frozen=True):
    e: Text
    s: Text


class SignatureAnswer(msgspec.Struct, frozen=True):
    amount: Amount
    id: Text
    C_: Text
    dleq: DleqAnswer | None = None


class SignaturesAnswer(msgspec.Struct, frozen=True):
    signatures: Annotated[list[SignatureAnswer], msgspec.Meta(max_length=1000)]


class OutputAnswer(msgspec.Struct, frozen=True):
    B_: Text
    amount: Amount | None = None
    id: Text = ""


class RestoreAnswer(msgspec.Struct, frozen=True):
    outputs: Annotated[list[OutputAnswer], msgspec.Meta(max_length=1000)]
    signatures: Annotated[list[SignatureAnswer], msgspec.Meta(max_length=1000)]


class StateAnswer(msgspec.Struct, frozen=True):
    Y: Text
    state: ProofState


class StatesAnswer(msgspec.Struct, frozen=True):
    states: Annotated[list[StateAnswer], msgspec.Meta(max_length=1000)]


class MeltAnswer(msgspec.Struct, frozen=True):
    """Both the melt quote and the melt itself."""

    quote: Text
    amount: Amount
    fee_reserve: Amount
    state: Text
    expiry: int | None = None
    change: Annotated[list[SignatureAnswer], msgspec.Meta(max_length=1000)] | None = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    detail: Any = ""
    code: int = 0


def parse_signature(answer: SignatureAnswer) -> BlindSignature:
    """Checked points and scalars. A signature without its NUT-12 proof is refused: without it a
    mint could mark single users with keys of their own."""
    if answer.dleq is None:
        raise EcashError("the mint gave no proof (NUT-12) with its signature")
    return BlindSignature(
        answer.amount,
        answer.id,
        parse_point(answer.C_),
        parse_hex(answer.dleq.e, 32),
        parse_hex(answer.dleq.s, 32),
    )


def outputs_json(outputs: Sequence[BlindedMessage]) -> list[dict[str, object]]:
    return [{"amount": o.amount, "id": o.id, "B_": o.B_.hex()} for o in outputs]


def inputs_json(inputs: Sequence[Proof]) -> list[dict[str, object]]:
    return [_input_json(proof) for proof in inputs]


def _input_json(proof: Proof) -> dict[str, object]:
    body: dict[str, object] = {
        "amount": proof.amount,
        "id": proof.id,
        "secret": proof.secret,
        "C": proof.C.hex(),
    }
    # Mints refuse a witness where no lock asks for one.
    return {**body, "witness": proof.witness} if proof.witness else body
