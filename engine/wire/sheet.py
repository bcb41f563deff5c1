"""The capability sheet: what a ghost or GPU node offers, for everyone to compare before asking.

    sheet = deterministic CBOR {v, models, chunk_msat, cap_msat, mints, policy}
    commitment = SHA-256("peer2prompt sheet v1" || sheet), in the node's advert

The advert signs for the sheet through the commitment. Prices are upper bounds: a quote may be
cheaper, never dearer. Format: docs/protocol.md, "Sheets". Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from engine.errors import WireError
from engine.wire import cbor
from engine.wire.quote import MAX_MINTS, MAX_MODEL_NAME, MAX_URL, ModelOffer, Quote
from engine.wire.schema import dump, many, octets, record, take, text, uint

LABEL = b"peer2prompt sheet v1"
MAX_SHEET_BYTES = 16 * 1024
MAX_MODELS = 128


@dataclass(frozen=True, slots=True)
class Sheet:
    """An offer to everybody. Prices are msat per million tokens, chunk and cap msat."""

    VERSION: ClassVar[int] = 1

    models: tuple[ModelOffer, ...]
    chunk_msat: int
    cap_msat: int
    mints: tuple[str, ...]
    policy: bytes

    def encode(self) -> bytes:
        """The canonical bytes. Raises WireError when they are too long."""
        raw = cbor.encode({"v": self.VERSION, **dump(self)})  # type: ignore[dict-item]
        if len(raw) > MAX_SHEET_BYTES:
            raise WireError("A capability sheet is too long.")
        return raw

    @classmethod
    def decode(cls, raw: bytes) -> Sheet:
        """The sheet in `raw`. Raises WireError."""
        if len(raw) > MAX_SHEET_BYTES:
            raise WireError("A capability sheet is too long.")
        fields = take(cbor.decode_map(raw), _SHEET)
        fields.pop("v")
        sheet = cls(**fields)
        names = [offer.name for offer in sheet.models]
        if len(set(names)) != len(names) or len(set(sheet.mints)) != len(sheet.mints):
            raise WireError("A capability sheet names a model or a mint twice.")
        return sheet

    def offer(self, model: str) -> ModelOffer | None:
        """The offer for one model, or None when it is not served."""
        return next((offer for offer in self.models if offer.name == model), None)

    def allows(self, quote: Quote) -> bool:
        """True when the quote is no dearer than this sheet, for each model that both name."""
        if quote.chunk_msat > self.chunk_msat or quote.cap_msat > self.cap_msat:
            return False
        return all(
            quoted.in_price <= listed.in_price and quoted.out_price <= listed.out_price
            for quoted in quote.models
            if (listed := self.offer(quoted.name)) is not None
        )


def commitment(raw: bytes) -> bytes:
    """What the advert says of a sheet (32 bytes)."""
    return hashlib.sha256(LABEL + raw).digest()


_MODEL = {
    "name": text(MAX_MODEL_NAME),
    "in_price": uint(),
    "out_price": uint(),
    "max_out": uint(10_000_000, 1),
}
_SHEET = {
    "v": uint(Sheet.VERSION, Sheet.VERSION),
    "models": many(record(ModelOffer, _MODEL), MAX_MODELS),
    "chunk_msat": uint(),
    "cap_msat": uint(),
    "mints": many(text(MAX_URL), MAX_MINTS),
    "policy": octets(32),
}
