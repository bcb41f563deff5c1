"""The credit of one session, in msat: paid ahead, metered by answers, given back at the end.

    balance   paid in, less the bills of finished answers, less what was given back
    due       what the running answer has metered so far
    available balance - due: may be negative when an answer waits for a payment

Both sides keep one; they agree because both are fed by the same messages. Pure arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

MSAT = 1000


@dataclass(slots=True)
class Ledger:
    """Credit of one session as one side sees it."""

    balance: int = 0
    due: int = 0

    @property
    def available(self) -> int:
        return self.balance - self.due

    def affords(self, due: int) -> bool:
        """Whether the running answer may go on up to `due`."""
        return due <= self.balance

    def deposit(self, msat: int) -> None:
        self.balance += msat

    def close_answer(self, cost: int) -> None:
        """The running answer ended; only `cost` of it is kept (0 when it is free)."""
        self.due = 0
        self.balance -= cost

    def accepts(self, sat: int, chunk_msat: int, needed: int = 0) -> bool:
        """Whether a ghost takes this payment: no more than two chunks of credit beyond what the
        running answer has metered or needs to go on (`needed`)."""
        return self.balance + sat * MSAT <= max(self.due, needed) + 2 * chunk_msat
