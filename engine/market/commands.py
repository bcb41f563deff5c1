"""What the ghost's state machine asks its shell to do, and what a policy answers. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from engine.market.ghost_answer import Bill
from engine.wire import session as wire


@dataclass(frozen=True, slots=True)
class Redeem:
    pay: wire.Pay = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refund:
    settle: wire.Settle = field(repr=False)
    sat: int


@dataclass(frozen=True, slots=True)
class Consider:
    """Judge a question whose form is in order, then call `considered`. Nothing was paid for it."""

    q: int
    ask: wire.Ask = field(repr=False)
    form: Admitted


@dataclass(frozen=True, slots=True)
class StartProvider:
    """Ask the provider now; `request` is the admitted request."""

    q: int
    request: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class StopProvider:
    q: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Charge the bill and store its receipt in one go, then call `committed`."""

    q: int
    model: str
    bill: Bill = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeepCountersign:
    n: int
    sig: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoteRefusal:
    """Count a refusal; `code` says why."""

    model: str
    code: str = "refused"


@dataclass(frozen=True, slots=True)
class EndSession:
    """The client said goodbye."""


Command: TypeAlias = (
    Redeem
    | Refund
    | Consider
    | StartProvider
    | StopProvider
    | Commit
    | KeepCountersign
    | NoteRefusal
    | EndSession
)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A question that passed the policy."""

    messages: int
    request: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a question is refused, free of charge: in words for the client, as a code for programs
    (refused, moderated, cap_reached, busy, provider_*), and in how many seconds to try again."""

    message: str
    code: str = "refused"
    after: int = 0


@dataclass(slots=True)
class Chain:
    """Where the session's chain of receipts stands."""

    n: int = 0
    head: bytes = bytes(32)
