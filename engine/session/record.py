"""What is written down of an answer under way, so that a later process can bring it to its end.

It holds the session's secret, the terms the question was asked under and the pickups; no question
and no answer. It lies in the encrypted store only. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from engine.errors import WireError
from engine.market.client_asking import Footing
from engine.market.client_session import ClientSession
from engine.market.meter import Tariff
from engine.market.weight import metered_bytes
from engine.session.vault import SavedSession
from engine.wire import cbor
from engine.wire.quote import MAX_MODEL_NAME, MAX_QUOTE_BYTES, Quote
from engine.wire.schema import blob, many, octets, take, text, uint
from engine.wire.session import MAX_BLOCKS, Ask

MAX_SAVED = 1024
MAX_PICKUP = 4096
_FIELDS = {
    "saved": blob(MAX_SAVED),
    "quote": blob(MAX_QUOTE_BYTES),
    "model": text(MAX_MODEL_NAME),
    "body": uint(),
    "messages": uint(),
    "q": uint(2**32 - 1, 1),
    "n": uint(2**32 - 1),
    "receipts": uint(2**32 - 1),
    "head": octets(32),
    "pickups": many(blob(MAX_PICKUP), MAX_BLOCKS),
}


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """`body` and `messages` are the question's sizes, as the meter takes them."""

    saved: bytes = field(repr=False)
    quote: bytes = field(repr=False)
    model: str
    body: int
    messages: int
    q: int
    n: int
    receipts: int
    head: bytes = field(repr=False)
    pickups: tuple[bytes, ...] = field(repr=False, default=())

    @classmethod
    def of(
        cls, saved: SavedSession, quote: bytes, ask: Ask, messages: int, footing: Footing
    ) -> AnswerRecord:
        """The record of a question that is about to be sent."""
        return cls(
            saved=saved.encode(),
            quote=quote,
            model=ask.model,
            body=metered_bytes(ask.body),
            messages=messages,
            q=ask.q,
            n=footing.n,
            receipts=footing.receipt_n,
            head=footing.receipt_head,
        )

    def with_pickups(self, pickups: tuple[bytes, ...]) -> AnswerRecord:
        return replace(self, pickups=pickups)

    def encode(self) -> bytes:
        """As CBOR, for the encrypted store."""
        fields: dict[str, cbor.Value] = {
            name: getattr(self, name) for name in _FIELDS if name != "pickups"
        }
        return cbor.encode({**fields, "pickups": list(self.pickups)})

    @classmethod
    def decode(cls, raw: bytes) -> AnswerRecord:
        """The record in bytes from the store. Raises WireError."""
        record = cls(**take(cbor.decode_map(raw), _FIELDS))
        record.session  # noqa: B018 - both raise WireError when they are damaged
        record.tariff  # noqa: B018
        return record

    @property
    def session(self) -> SavedSession:
        return SavedSession.decode(self.saved)

    @property
    def tariff(self) -> Tariff:
        """The terms of the question, from the ghost's signed quote. Raises WireError."""
        quote = Quote.decode(self.quote)
        offer = quote.offer(self.model)
        if offer is None:
            raise WireError("A record names a model that its quote lacks.")
        return Tariff.of(quote, offer, self.body, self.messages)

    def hand_over(self, session: ClientSession) -> None:
        """Put a fresh state machine where the recorded one stood."""
        footing = Footing(self.q, self.n, self.receipts, self.head)
        quote = Quote.decode(self.quote)
        session.take_over(footing, Ask(self.q, self.model, b"", quote.id), self.tariff, quote)
