"""The signed quote: what a ghost charges, for how long, and through which mints.

    raw   = signature (64) || body
    body  = deterministic CBOR {v, key, id, models, chunk_msat, cap_msat, mints, policy, expires,
            lock, locked_only}
    model = {name, in_price, out_price, max_out, cached_price, reasoning_price, context, features,
            weights, max_hidden}                       prices in msat per million tokens

Signed by the ghost's node key over "peer2prompt quote v2" || body. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.crypto.keys import node_id_of
from engine.errors import WireError
from engine.wire import cbor, signed
from engine.wire.schema import dump, flag, many, octets, record, take, text, uint

LABEL = b"peer2prompt quote v2"
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
FEATURES = ("embeddings", "images", "json", "reasoning", "tools")
"""What a model may be offered with; an offer names them in this order."""
LOCK_BYTES = 33
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """One model of a quote. Prices are msat per million tokens.

    `cached_price` is for the part of the input that the provider read from a cache, and
    `reasoning_price` for the part of the output that was spent on reasoning: neither is above the
    price of the whole. `context` is in tokens, 0 when it is not known. `weights` is the SHA-256 of
    an open model's file, which names its tokenizer too, or b"". `max_hidden` is the most reasoning
    tokens that may be billed although their text is not delivered.
    """

    name: str
    in_price: int
    out_price: int
    max_out: int
    cached_price: int
    reasoning_price: int
    context: int = 0
    features: tuple[str, ...] = ()
    weights: bytes = b""
    max_hidden: int = 0

    @classmethod
    def plain(cls, name: str, in_price: int, out_price: int, max_out: int) -> ModelOffer:
        """An offer without any discount or extra."""
        return cls(name, in_price, out_price, max_out, in_price, out_price)

    def allows(self, other: ModelOffer) -> bool:
        """True when `other` is the same model, and in no price or allowance dearer than this."""
        return (
            (other.name, other.weights) == (self.name, self.weights)
            and other.in_price <= self.in_price
            and other.out_price <= self.out_price
            and other.cached_price <= self.cached_price
            and other.reasoning_price <= self.reasoning_price
            and other.max_hidden <= self.max_hidden
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """A ghost's offer. `key` is the ghost's Ed25519 public key; its NodeID follows from it.

    `policy` is the hash of the policy document in its sheet. `lock` is the public key
    (secp256k1, compressed) to which payments may be locked, or b"" when it takes none so; with
    `locked_only` it takes no others.
    """

    VERSION: ClassVar[int] = 2

    key: bytes
    id: bytes
    models: tuple[ModelOffer, ...]
    chunk_msat: int
    cap_msat: int
    mints: tuple[str, ...]
    policy: bytes
    expires: int
    lock: bytes = b""
    locked_only: bool = False

    @property
    def node_id(self) -> bytes:
        return node_id_of(self.key)

    def offer(self, model: str) -> ModelOffer | None:
        """The offer for one model, or None when the ghost does not serve it."""
        return next((offer for offer in self.models if offer.name == model), None)

    def encode(self, sign: Callable[[bytes], bytes]) -> bytes:
        """The signed document."""
        _check_quote(self)
        fields = dump(self)
        body = cbor.encode({"v": self.VERSION, **fields})  # type: ignore[dict-item]
        raw = signed.seal(LABEL, body, sign)
        if len(raw) > MAX_QUOTE_BYTES:
            raise WireError("A quote is too long.")
        return raw

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
        _check_quote(quote)
        return quote


def _check_quote(quote: Quote) -> None:
    check_terms(quote.models, quote.mints, quote.chunk_msat)
    if quote.locked_only and not quote.lock:
        raise WireError("A quote wants locked payments and names no key for them.")


def check_terms(models: Sequence[ModelOffer], mints: Sequence[str], chunk_msat: int) -> None:
    """Raises WireError for terms under which no fair session is possible (section 2 of
    docs/protocol-session.md): a quote and a sheet are held to the same."""
    names = [offer.name for offer in models]
    if len(set(names)) != len(names) or len(set(mints)) != len(mints):
        raise WireError("An offer names a model or a mint twice.")
    if not mints:
        raise WireError("An offer names no mint.")
    if chunk_msat % 1000 or chunk_msat < MIN_CHUNK_MSAT:
        raise WireError("An offer's chunk is not a whole number of sat, or below two sat.")
    for offer in models:
        _check_model(offer, chunk_msat)


def _check_model(offer: ModelOffer, chunk_msat: int) -> None:
    if offer.out_price * MIN_TOKENS_PER_CHUNK > chunk_msat * MILLION:
        raise WireError("An offer's chunk is too small for its price per token.")
    if offer.cached_price > offer.in_price or offer.reasoning_price > offer.out_price:
        raise WireError("An offer asks more for a part of the tokens than for the whole.")
    if 2 * offer.max_hidden * offer.reasoning_price > chunk_msat * MILLION:
        raise WireError("An offer's hidden reasoning costs more than half a chunk.")
    if list(offer.features) != sorted(set(offer.features) & set(FEATURES)):
        raise WireError("An offer's features are unknown, out of order or named twice.")


OFFER_FIELDS = {
    "name": text(MAX_MODEL_NAME),
    "in_price": uint(),
    "out_price": uint(),
    "max_out": uint(10_000_000, 1),
    "cached_price": uint(),
    "reasoning_price": uint(),
    "context": uint(),
    "features": many(text(16), len(FEATURES)),
    "weights": octets(0, 32),
    "max_hidden": uint(10_000_000),
}
_QUOTE = {
    "v": uint(Quote.VERSION, Quote.VERSION),
    "key": octets(32),
    "id": octets(16),
    "models": many(record(ModelOffer, OFFER_FIELDS), MAX_MODELS),
    "chunk_msat": uint(),
    "cap_msat": uint(),
    "mints": many(text(MAX_URL), MAX_MINTS),
    "policy": octets(32),
    "expires": uint(),
    "lock": octets(0, LOCK_BYTES),
    "locked_only": flag,
}
