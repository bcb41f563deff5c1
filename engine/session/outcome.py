"""How one question ended, and what that says of the ghost. Pure.

Failures on our side of the way (no route, no money, a mint) say nothing of a ghost.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.errors import (
    CircuitClosed,
    GhostError,
    HandshakeError,
    LayerError,
    LinkError,
    NoRoute,
    ProtocolError,
    ProviderError,
)
from engine.market.observations import Seen
from engine.market.overbilled import Overbilled
from engine.session.fates import PaymentKept
from wallet.errors import PaymentInvalid

FULL = ("busy", "cap_reached", "provider_rate_limit", "provider_overloaded")
DECLINED = ("refused", "moderated", "provider_bad_request")
LAPSED = "unknown_answer"
KEPT = (PaymentKept, PaymentInvalid)
OF_THE_WAY = (CircuitClosed, NoRoute, LinkError, LayerError, HandshakeError)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a question; `error` is None when it was answered.

    The signed documents are there so that what proves itself can be kept."""

    model: str
    error: Exception | None = None
    code: str = ""
    """What the ghost called its failure."""
    stopped: bool = False
    """The user stopped the answer."""
    tokens_out: int = 0
    ttft_ms: float = 0.0
    """From the question sent to the first word; 0 when there was none."""
    rate: float = 0.0
    """Tokens a second after the first word."""
    session: bytes = field(repr=False, default=b"")
    """The session hash."""
    quote: bytes = field(repr=False, default=b"")
    disputed: bytes = field(repr=False, default=b"")
    """A signed receipt that was refused."""
    text: str = field(repr=False, default="")
    """The answer, for a look at words that must not be in it; never kept."""


def judge(outcome: Outcome) -> Seen | None:
    """What the end of a question says of the ghost; None for nothing."""
    error = outcome.error
    if error is None:
        if outcome.stopped and not outcome.tokens_out:
            return None
        return Seen.ANSWERED if outcome.tokens_out else Seen.FAILED
    if isinstance(error, Overbilled):
        return Seen.OVERBILLED
    if isinstance(error, KEPT):
        return Seen.KEPT
    if outcome.code in FULL:
        return Seen.BUSY
    if outcome.code in DECLINED:
        return Seen.REFUSED
    if outcome.code == LAPSED:
        return Seen.CUT
    if isinstance(error, NoRoute):
        return None
    if isinstance(error, OF_THE_WAY):
        return Seen.CUT
    if isinstance(error, ProtocolError):
        return Seen.CHEATED if outcome.disputed else Seen.FAILED
    return Seen.FAILED if isinstance(error, ProviderError | GhostError) else None


def judge_way(error: Exception) -> Seen | None:
    """What it says of a ghost that no session with it could be opened, or one not be settled."""
    if isinstance(error, Overbilled):
        return Seen.OVERBILLED
    if isinstance(error, KEPT):
        return Seen.KEPT
    if isinstance(error, NoRoute):
        return None
    if isinstance(error, OF_THE_WAY):
        return Seen.UNREACHABLE
    return Seen.FAILED if isinstance(error, ProtocolError) else None
