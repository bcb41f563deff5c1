"""What the client's state machine tells its shell: one value per thing the ghost said.

Plain values; text and money are kept out of every repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from engine.market.meter import Counts
from engine.wire import session as wire
from engine.wire.quote import Quote


@dataclass(frozen=True, slots=True)
class Quoted:
    """The ghost's signed quote arrived and is valid."""

    quote: Quote


@dataclass(frozen=True, slots=True)
class Resumed:
    """The ghost knows the session; its credit covers what our books say."""

    credit_msat: int


@dataclass(frozen=True, slots=True)
class PaymentTaken:
    n: int
    change: tuple[wire.WireSignature, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PaymentRefused:
    n: int
    code: str
    message: str
    retry: bool


@dataclass(frozen=True, slots=True)
class Started:
    q: int


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer, at byte `offset`."""

    text: str = field(repr=False)
    offset: int


@dataclass(frozen=True, slots=True)
class CreditNeeded:
    """The answer waits for a payment."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete and its bill is right; `sign` accepts the receipt."""

    reason: str
    counts: Counts
    cost_msat: int
    receipt_n: int
    receipt: bytes = field(repr=False)
    sign: wire.Sign = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """The ghost reports that the answer cannot be given."""

    error: wire.Error


@dataclass(frozen=True, slots=True)
class SettledUp:
    credit_msat: int
    change: tuple[wire.WireSignature, ...] = field(repr=False)


ClientEvent: TypeAlias = (
    Quoted
    | Resumed
    | PaymentTaken
    | PaymentRefused
    | Started
    | Text
    | CreditNeeded
    | Finished
    | Failed
    | SettledUp
)
