"""What a client notes of a ghost: what happened, when about, and two or three numbers.

An observation is this client's own word and proves nothing to anybody else; what does lies in
`engine.wire.evidence`. No text of either side, no route, no session; times and measures are
rounded, so that what is kept tells no more than a choice among ghosts needs. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOUR_S = 3_600
TTFT_STEP_MS = 50
MAX_TTFT_MS = 600_000
MAX_RATE = 10_000


class Seen(StrEnum):
    """What happened. The words are what the store keeps."""

    ANSWERED = "answered"
    FAILED = "failed"
    """The ghost said that it cannot answer, or its provider failed."""
    CUT = "cut"
    """The way broke in the middle, and new circuits did not help. A relay may have done it, so it
    weighs less than a failure."""
    UNREACHABLE = "unreachable"
    """No session could be opened. The same caution."""
    BUSY = "busy"
    REFUSED = "refused"
    """By its policy: says nothing of how well it serves."""
    OVERBILLED = "overbilled"
    """A bill, a token count or a demand above what the quote and the answer's size allow."""
    CHEATED = "cheated"
    """A receipt that does not match the answer or its chain, or signed twice in two ways."""
    KEPT = "kept"
    """A payment that it says it did not take and its mint says was spent, or change that is not
    what was due. The mint may lie, so it weighs less than what the ghost signed."""
    DEARER = "dearer"
    """A quote above the sheet that the ghost's advert stands for."""
    PROBE_RIGHT = "probe right"
    PROBE_WRONG = "probe wrong"
    CANARY = "canary seen"
    """A word that was told to this ghost alone came back from elsewhere."""
    TOLD = "told"
    """Somebody else's evidence, which proves itself, was taken in."""


GRAVE = frozenset(
    {Seen.OVERBILLED, Seen.CHEATED, Seen.KEPT, Seen.CANARY, Seen.PROBE_WRONG, Seen.TOLD}
)
"""Kept longest: good answers must not push them out of the store."""


@dataclass(frozen=True, slots=True)
class Observation:
    """`at` in unix seconds, a whole hour; `price` in msat for a usual question to the model at the
    time; 0 for unknown."""

    seen: Seen
    at: int
    model: str = ""
    ttft_ms: int = 0
    rate: int = 0
    """Tokens a second of the answer, after its first."""
    price: int = 0


def observe(
    seen: Seen,
    now: float,
    *,
    model: str = "",
    ttft_ms: float = 0.0,
    rate: float = 0.0,
    price: int = 0,
) -> Observation:
    """An observation with its time and measures rounded."""
    steps = round(min(max(ttft_ms, 0.0), MAX_TTFT_MS) / TTFT_STEP_MS)
    if ttft_ms > 0:
        steps = max(steps, 1)
    return Observation(
        seen,
        int(now // HOUR_S) * HOUR_S,
        model,
        steps * TTFT_STEP_MS,
        min(round(max(rate, 0.0)), MAX_RATE),
        price,
    )
