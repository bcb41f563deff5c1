"""The capability sheet: what a ghost or GPU node offers, for everyone to compare before asking.

    sheet = deterministic CBOR {v, models, chunk_msat, cap_msat, mints, policy}
    commitment = SHA-256("peer2prompt sheet v2" || sheet), in the node's advert

The advert signs for the sheet through the commitment. Prices are upper bounds: a quote may be
cheaper, never dearer, and stands under the policy whose document is here. Format:
docs/protocol.md, "Sheets". Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from engine.errors import WireError
from engine.wire import cbor
from engine.wire.policy import MAX_POLICY_BYTES, policy_hash
from engine.wire.quote import (
    MAX_MINTS,
    MAX_URL,
    OFFER_FIELDS,
    ModelOffer,
    Quote,
    check_terms,
)
from engine.wire.schema import blob, dump, many, record, take, text, uint

LABEL = b"peer2prompt sheet v2"
MAX_SHEET_BYTES = 32 * 1024
MAX_MODELS = 128


@dataclass(frozen=True, slots=True)
class Sheet:
    """An offer to everybody. Prices are msat per million tokens, chunk and cap msat; `policy` is
    the document of the ghost's policy (deterministic CBOR)."""

    VERSION: ClassVar[int] = 2

    models: tuple[ModelOffer, ...]
    chunk_msat: int
    cap_msat: int
    mints: tuple[str, ...]
    policy: bytes

    def encode(self) -> bytes:
        """The canonical bytes. Raises WireError when they are too long or make no sense."""
        check_terms(self.models, self.mints, self.chunk_msat)
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
        check_terms(sheet.models, sheet.mints, sheet.chunk_msat)
        return sheet

    @property
    def policy_hash(self) -> bytes:
        """What every quote under this sheet says of its policy (32 bytes)."""
        return policy_hash(self.policy)

    def offer(self, model: str) -> ModelOffer | None:
        """The offer for one model, or None when it is not served."""
        return next((offer for offer in self.models if offer.name == model), None)

    def allows(self, quote: Quote) -> bool:
        """True when the quote is no dearer than this sheet, for each model that both name, and
        stands under the same policy."""
        if quote.chunk_msat > self.chunk_msat or quote.cap_msat > self.cap_msat:
            return False
        if quote.policy != self.policy_hash:
            return False
        return all(
            listed.allows(quoted)
            for quoted in quote.models
            if (listed := self.offer(quoted.name)) is not None
        )


def commitment(raw: bytes) -> bytes:
    """What the advert says of a sheet (32 bytes)."""
    return hashlib.sha256(LABEL + raw).digest()


_SHEET = {
    "v": uint(Sheet.VERSION, Sheet.VERSION),
    "models": many(record(ModelOffer, OFFER_FIELDS), MAX_MODELS),
    "chunk_msat": uint(),
    "cap_msat": uint(),
    "mints": many(text(MAX_URL), MAX_MINTS),
    "policy": blob(MAX_POLICY_BYTES),
}
