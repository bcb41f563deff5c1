"""What an AskSession tells its caller: events while it works, a result at the end.

Plain values for the control layer. Text of the answer is in `AnswerDelta` and `AskResult` only and
never shows in a repr.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class StateChanged:
    """building | opening | paying | asking | streaming | resuming | fetching | settling."""

    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More of the answer; `offset` counts bytes of UTF-8 from its start."""

    text: str = field(repr=False)
    offset: int


@dataclass(frozen=True, slots=True)
class PaidOut:
    """Ecash was handed over: its whole value, before change comes back."""

    msat: int


AskEvent: TypeAlias = StateChanged | AnswerDelta | PaidOut
OnEvent: TypeAlias = Callable[[AskEvent], None]


@dataclass(frozen=True, slots=True)
class ReceiptNote:
    """A receipt both sides signed."""

    n: int
    cost_msat: int
    hash: str


@dataclass(slots=True)
class AskResult:
    """One answer and its account. After `settle` the account of the last result is final:

    carried + paid - change - fees = cost + credit,  where credit is then below one sat.
    """

    answer: str = field(repr=False)
    model: str
    tokens_in: int
    tokens_out: int
    quoted_msat: int
    cost_msat: int
    finish_reason: str
    ttft_ms: float
    total_ms: float
    paid_msat: int = 0
    change_msat: int = 0
    carried_msat: int = 0
    credit_msat: int = 0
    mint: str = ""
    receipts: list[ReceiptNote] = field(default_factory=list)
    tokens_cached: int = 0
    """Of `tokens_in`: read from a cache."""
    tokens_reasoning: int = 0
    """Of `tokens_out`: spent on reasoning."""
    mailboxes: int = 0
    """How many mailboxes stood by."""
    by_mail: bool = False

    @property
    def fees_msat(self) -> int:
        """What mints took for swaps on the way."""
        left = self.carried_msat + self.paid_msat - self.change_msat
        return left - self.cost_msat - self.credit_msat

    def as_dict(self) -> dict[str, Any]:
        """For the control protocol and `--json`."""
        return {
            "answer": self.answer,
            "model": self.model,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "tokens_cached": self.tokens_cached,
            "tokens_reasoning": self.tokens_reasoning,
            "quoted_msat": self.quoted_msat,
            "paid_msat": self.paid_msat,
            "change_msat": self.change_msat,
            "cost_msat": self.cost_msat,
            "credit_msat": self.credit_msat,
            "receipts": [
                {"n": note.n, "cost_msat": note.cost_msat, "hash": note.hash}
                for note in self.receipts
            ],
            "mint": self.mint,
            "ttft_ms": self.ttft_ms,
            "total_ms": self.total_ms,
            "finish_reason": self.finish_reason,
            "mailboxes": self.mailboxes,
            "by_mail": self.by_mail,
        }
