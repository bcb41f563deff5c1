"""The grade of a session's payments: open ecash, or ecash locked to the ghost's key (NUT-11).

Either side chooses: the client's policy is "off", "when-offered" or "always", a ghost offers a key
in its quote and may take nothing else. Where the two do not meet it is said before anything is
paid. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import GhostError
from engine.market.credit import MSAT
from engine.wire.quote import Quote

LOTS = 4
"""Locked payments that are kept ready: two chunks' worth."""


@dataclass(frozen=True, slots=True)
class Grade:
    """`key` (hex) is what payments are locked to, "" when they are not. With `must` no other
    payment is made; without it one that is not ready in time is made open."""

    key: str = ""
    must: bool = False

    @classmethod
    def of(cls, quote: Quote, policy: str) -> Grade:
        """What both sides agree to. Raises GhostError when they do not."""
        if policy == "off":
            if quote.locked_only:
                raise GhostError(
                    "The ghost takes only payments that are locked to its key.",
                    kept="Nothing was paid; the question is kept in the chat.",
                    hint='Set lock_chunks = "when-offered" under [wallet], or use another ghost.',
                )
            return cls()
        if not quote.lock:
            if policy == "always":
                raise GhostError(
                    "The ghost takes no payments that are locked to its key.",
                    kept="Nothing was paid; the question is kept in the chat.",
                    hint='Use another ghost, or set lock_chunks = "when-offered" under [wallet].',
                )
            return cls()
        return cls(quote.lock.hex(), policy == "always" or quote.locked_only)


def check_chunk(quote: Quote, most_sat: int) -> None:
    """A chunk is what a ghost can vanish with. Raises GhostError for one that is too large."""
    if quote.chunk_msat > most_sat * MSAT:
        raise GhostError(
            f"The ghost wants {quote.chunk_msat // MSAT} sat ahead, more than the wallet allows.",
            kept="Nothing was paid; the question is kept in the chat.",
            hint="Use another ghost, or: peer2prompt wallet policy --max-chunk-sat SAT",
        )
