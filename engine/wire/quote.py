"""The signed quote: what a ghost charges, for how long, and through which mints.

    raw   = signature (64) || body
    body  = deterministic CBOR {v, key, id, models, chunk_msat, cap_msat, mints, policy, expires}
    model = {name, in_price, out_price, max_out}       prices in msat per million tokens

Signed by the ghost's node key over "peer2prompt quote v1" || body. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from engine.crypto.keys import node_id_of
from engine.errors import WireError
from engine.wire import cbor, signed
from engine.wire.schema import dump, many, octets, record, take, text, uint

LABEL = b"peer2prompt quote v1"
MAX_MODELS = 256
MAX_MINTS = 16
MAX_MODEL_NAME = 128
MAX_URL = 256
MIN_TOKENS_PER_CHUNK = 32
"""A chunk must buy at least this many output tokens, so that the smallest piece of an answer is
always affordable with one chunk of credit (see docs/protocol-session.md, "Meter")."""
MIN_CHUNK_MSAT = 2000
"""Two sat: half a chunk is then at least one sat, the smallest payment there is."""
MAX_QUOTE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """One model of a quote. Prices are msat per million tokens."""

    name: str
    in_price: int
    out_price: int
    max_out: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A ghost's offer. `key` is the ghost's Ed25519 public key; its NodeID follows from it."""

    VERSION: ClassVar[int] = 1

    key: bytes
    id: bytes
    models: tuple[ModelOffer, ...]
    chunk_msat: int
    cap_msat: int
    mints: tuple[str, ...]
    policy: bytes
    expires: int

    @property
    def node_id(self) -> bytes:
        return node_id_of(self.key)

    def offer(self, model: str) -> ModelOffer | None:
        """The offer for one model, or None when the ghost does not serve it."""
        return next((offer for offer in self.models if offer.name == model), None)

    def encode(self, sign: Callable[[bytes], bytes]) -> bytes:
        """The signed document."""
        _check_sense(self)
        fields = dump(self)
        body = cbor.encode({"v": self.VERSION, **fields})  # type: ignore[dict-item]
        return signed.seal(LABEL, body, sign)

    @classmethod
    def decode(cls, raw: bytes) -> Quote:
        """The quote in `raw`, its signature verified. Expiry is the caller's to check."""
        if len(raw) > MAX_QUOTE_BYTES:
            raise WireError("A quote is too long.")
        _, body = signed.split(raw)
        fields = take(cbor.decode_map(body), _QUOTE)
        fields.pop("v")
        quote = cls(**fields)
        signed.check(LABEL, quote.key, raw)
        _check_sense(quote)
        return quote


def _check_sense(quote: Quote) -> None:
    names = [offer.name for offer in quote.models]
    if len(set(names)) != len(names) or len(set(quote.mints)) != len(quote.mints):
        raise WireError("A quote names a model or a mint twice.")
    if not quote.mints:
        raise WireError("A quote names no mint.")
    if quote.chunk_msat % 1000 or quote.chunk_msat < MIN_CHUNK_MSAT:
        raise WireError("A quote's chunk is not a whole number of sat, or below two sat.")
    dearest = max((offer.out_price for offer in quote.models), default=0)
    if dearest * MIN_TOKENS_PER_CHUNK > quote.chunk_msat * 1_000_000:
        raise WireError("A quote's chunk is too small for its price per token.")


_MODEL = {
    "name": text(MAX_MODEL_NAME),
    "in_price": uint(),
    "out_price": uint(),
    "max_out": uint(10_000_000, 1),
}
_QUOTE = {
    "v": uint(Quote.VERSION, Quote.VERSION),
    "key": octets(32),
    "id": octets(16),
    "models": many(record(ModelOffer, _MODEL), MAX_MODELS),
    "chunk_msat": uint(),
    "cap_msat": uint(),
    "mints": many(text(MAX_URL), MAX_MINTS),
    "policy": octets(32),
    "expires": uint(),
}
