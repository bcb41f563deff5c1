"""Whether a question that one ghost failed goes to another one, and who decides that.

Another ghost is shown the chat. So it is asked by itself only where there is nothing to show but
the question, or where the user said so before; else the user is asked. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from engine.errors import (
    CircuitClosed,
    GhostError,
    Peer2PromptError,
    ProtocolError,
    ProviderError,
)
from engine.market.overbilled import Overbilled
from engine.session.route import GhostGone

ELSEWHERE = "elsewhere"
"""The reason of a GhostError: what is wanted is offered by others only."""
MAX_GHOSTS = 4
"""That a question is shown to by itself."""
FREE = frozenset({"busy", "cap_reached", "refused", "unpaid", "quote_expired", ELSEWHERE})
"""Refusals after which another ghost may be asked without asking the user: they say something of
the ghost, not of the question."""
NEEDS_CONSENT = "needs_consent"


class Step(Enum):
    """What becomes of a failed question."""

    FAIL = auto()
    MOVE = auto()
    ASK_USER = auto()


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a question stands when it fails."""

    messages: int
    """Of the chat, that another ghost would see beside the question."""
    shown: bool
    """Some of the answer was shown."""
    ghosts: int
    """That were asked by itself so far."""
    failover: str
    """ask, always or never"""
    move_on: bool


def next_step(error: Exception, stand: Stand) -> Step:
    """What to do about the failure of a question."""
    if not of_the_ghost(error) or stand.failover == "never":
        return Step.FAIL
    if not stand.messages and not stand.shown:
        goes_on = stand.move_on and stand.ghosts < MAX_GHOSTS and is_free(error)
        return Step.MOVE if goes_on else Step.FAIL
    if stand.failover == "always" and stand.ghosts < MAX_GHOSTS and not stand.shown:
        return Step.MOVE
    return Step.ASK_USER if stand.messages else Step.FAIL


def of_the_ghost(error: Exception) -> bool:
    """Whether another ghost could do better: the failure is not the user's, the wallet's, ours."""
    if isinstance(error, ProviderError):
        return error.kind not in ("bad_request", "too_long", "blocked")
    return isinstance(error, GhostError | CircuitClosed | GhostGone | ProtocolError | Overbilled)


def is_free(error: Exception) -> bool:
    """Whether the question may be shown to another ghost without asking the user."""
    if isinstance(error, GhostError) and error.reason:
        return error.reason in FREE
    return of_the_ghost(error)


def consent_error(error: Peer2PromptError, messages: int, size: int) -> Peer2PromptError:
    """The failure as the user is told of it, with the question whether to show the chat."""
    asked = Peer2PromptError(
        error.message,
        kept=error.kept,
        hint=f"Another ghost can answer, if it may see the {messages} earlier messages of this "
        f"chat ({size} bytes): peer2prompt ask --failover once, always or no.",
    )
    asked.code, asked.exit_code = NEEDS_CONSENT, error.exit_code
    return asked
