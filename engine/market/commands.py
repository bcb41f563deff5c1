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
    model: str


@dataclass(frozen=True, slots=True)
class EndSession:
    """The client said goodbye."""


Command: TypeAlias = (
    Redeem
    | Refund
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
    """Why the policy refused a question, in words for the client."""

    message: str


@dataclass(slots=True)
class Chain:
    """Where the session's chain of receipts stands."""

    n: int = 0
    head: bytes = bytes(32)
