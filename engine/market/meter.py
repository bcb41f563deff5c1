"""The meter: what an answer costs, computed alike by the client and by the ghost.

While an answer streams, both sides count the same thing: the input by an estimate from the bytes
of the question, the output by the tokens announced with the last delta that was sent. At the end
the provider's own counts replace the estimate, within bounds the client can check by itself:

    tokens in  <= weight of the body + 64 per message     cached <= tokens in
    tokens out <= bytes of the answer + 1 + hidden        reasoning <= tokens out
    hidden      = reasoning beyond the bytes of reasoning text that was delivered,
                  at most the allowance that the offer names
    final bill <= running meter + half a chunk, and never above the cap of the quote

An empty answer costs nothing. Every part is rounded up to a whole msat. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.wire.answer import MARK, REASONING
from engine.wire.quote import MILLION, ModelOffer, Quote

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English; only the running estimate depends on it."""
PIECE_BYTES = 64
"""The most text that is sent on for one credit check. Its 16 tokens cost at most half a chunk,
because a chunk buys at least 32 (engine.wire.quote), so a topped-up credit always affords it."""
SPLITS = 2
"""msat by which two prices for one kind of token can round up further than one price does."""
TOKENS_PER_MESSAGE = 64
"""Room for the chat template a provider wraps around each message."""


def part_cost(tokens: int, price: int) -> int:
    """msat for `tokens` at `price` msat per million, rounded up."""
    return -(-tokens * price // MILLION)


def tokens_of(text_bytes: int) -> int:
    """Running estimate of the tokens in so many bytes."""
    return text_bytes // BYTES_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Counts:
    """The tokens of a bill: `cached` are part of those in, `reasoning` part of those out."""

    tin: int
    tout: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Size:
    """The bytes of an answer, and those of its parts that hold reasoning."""

    total: int
    reasoning: int = 0

    @classmethod
    def of(cls, answer: bytes | bytearray) -> Size:
        """The size of a whole answer as it stands on the wire."""
        _, *parts = answer.split(MARK.encode())
        reasoning = (len(part) + 1 for part in parts if part.startswith(REASONING.encode()))
        return cls(len(answer), sum(reasoning))


@dataclass(frozen=True, slots=True)
class Tariff:
    """The terms of one answer, fixed when it is asked."""

    offer: ModelOffer
    chunk_msat: int
    cap_msat: int
    body_bytes: int
    messages: int

    @classmethod
    def of(cls, quote: Quote, offer: ModelOffer, body_bytes: int, messages: int) -> Tariff:
        return cls(offer, quote.chunk_msat, quote.cap_msat, body_bytes, messages)

    @property
    def most_tokens_in(self) -> int:
        return self.body_bytes + TOKENS_PER_MESSAGE * self.messages

    @property
    def most_msat(self) -> int:
        """The most this answer can cost under its quote."""
        tin = part_cost(self.most_tokens_in, self.offer.in_price)
        tout = part_cost(self.offer.max_out, self.offer.out_price)
        return min(self.cap_msat, tin + tout + SPLITS)

    @property
    def accepted_msat(self) -> int:
        """Due at acceptance: half of the estimated input."""
        return min(self.cap_msat, -(-self._input_msat // 2))

    @property
    def unheard_msat(self) -> int:
        """What an answer costs that its client left after `started` and before its first word."""
        return min(self.accepted_msat, self.chunk_msat)

    @property
    def _input_msat(self) -> int:
        return part_cost(tokens_of(self.body_bytes), self.offer.in_price)

    def running_msat(self, tokens_out: int) -> int:
        """Due once `tokens_out` tokens were delivered; the other half of the input joins then."""
        if tokens_out <= 0:
            return self.accepted_msat
        total = self._input_msat + part_cost(tokens_out, self.offer.out_price)
        return min(self.cap_msat, total)

    def clip_counts(self, counts: Counts, size: Size) -> Counts:
        """The ghost's counts, cut to what a client accepts."""
        tin = min(counts.tin, self.most_tokens_in)
        reasoning = min(counts.reasoning, counts.tout, size.reasoning + self.offer.max_hidden)
        hidden = max(0, reasoning - size.reasoning)
        tout = min(counts.tout, size.total + 1 + hidden, self.offer.max_out)
        return Counts(tin, tout, min(counts.cached, tin), min(reasoning, tout))

    def counts_are_possible(self, counts: Counts, size: Size) -> bool:
        """The client's check of the ghost's counts."""
        return counts == self.clip_counts(counts, size)

    def exact_msat(self, counts: Counts) -> int:
        """What these tokens cost, each part at its own price."""
        offer = self.offer
        return (
            part_cost(counts.tin - counts.cached, offer.in_price)
            + part_cost(counts.cached, offer.cached_price)
            + part_cost(counts.tout - counts.reasoning, offer.out_price)
            + part_cost(counts.reasoning, offer.reasoning_price)
        )

    def final_msat(self, counts: Counts, delivered: int, size: Size) -> int:
        """The bill. `delivered` is the token count of the last delta, the running meter's base."""
        if size.total == 0:
            return 0
        most = self.running_msat(delivered) + self.chunk_msat // 2
        return min(self.cap_msat, self.exact_msat(counts), most)

    @property
    def first_msat(self) -> int:
        """What the credit must cover until the first word is there: the input and one piece."""
        return self.running_msat(min(tokens_of(PIECE_BYTES), self.offer.max_out))

    def may_need(self, due: int, delivered: int, *, started: bool) -> bool:
        """The client's check of a `need`: the next piece or the final bill can really ask this."""
        if not started:
            return due <= self.accepted_msat
        if not delivered:
            return due <= self.first_msat
        return due <= self.running_msat(delivered) + self.chunk_msat // 2
