"""How a mint has been doing: its last answers, and what should worry somebody who lends it money.

Pure; the client of the mint reports every exchange here, the keysets and the mint's information
are handed in. Nothing proves that a mint is solvent; these are the signs before it shows.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from wallet.ecash.keysets import Keyset

REMEMBERED = 50
MAX_DATE = 64  # characters; it has 29
# Fewer exchanges than this say nothing about a habit.
ENOUGH = 5
SOON_S = 14 * 86_400
REFUSED_PAYMENTS = 3


@dataclass
class Health:
    """The last exchanges with one mint. `refused_payments` counts payments of invoices that it
    has refused in a row."""

    latencies_ms: list[float] = field(default_factory=list)
    outcomes: list[bool] = field(default_factory=list)
    refused_payments: int = 0
    clock_off_s: float | None = None
    """By how much this machine's clock was ahead of the mint's at its last answer; None while it
    has not told the time. HTTP tells whole seconds, and the way there takes its own."""

    def dated(self, header: str, now: float) -> None:
        """An answer said when it was made (RFC 9110, Date); what is no date says nothing."""
        try:
            told = parsedate_to_datetime(header[:MAX_DATE]).timestamp()
        except (ValueError, TypeError, OverflowError, IndexError):
            return
        self.clock_off_s = now - told

    def answered(self, latency_ms: float) -> None:
        """A complete answer came, whatever it said."""
        self.latencies_ms = [*self.latencies_ms, latency_ms][-REMEMBERED:]
        self._note(True)

    def failed(self) -> None:
        """No complete answer came, or a wrong one."""
        self._note(False)

    def _note(self, good: bool) -> None:
        self.outcomes = [*self.outcomes, good][-REMEMBERED:]

    @property
    def latency_ms(self) -> float | None:
        """The median of the last answers."""
        return statistics.median(self.latencies_ms) if self.latencies_ms else None

    @property
    def failures_percent(self) -> int:
        """Of the last exchanges."""
        return round(100 * self.outcomes.count(False) / len(self.outcomes)) if self.outcomes else 0


def warnings(
    health: Health, keysets: Iterable[Keyset], disabled: Iterable[int], now: float
) -> list[str]:
    """What should worry, in sentences. `disabled` are the NUTs that the mint says are off."""
    found: list[str] = []
    active = [keyset for keyset in keysets if keyset.active]
    if not active:
        found.append("It has no keys to sign with any more: take your ecash out.")
    ends = [keyset.final_expiry for keyset in keysets if keyset.final_expiry is not None]
    if ends and min(ends) - now < SOON_S:
        days = max(0, int((min(ends) - now) // 86_400))
        found.append(f"Ecash of one of its keysets ends in {days} days: spend or swap it.")
    if 5 in disabled:
        found.append("It pays no invoices now: its ecash cannot be taken out by Lightning.")
    if 4 in disabled:
        found.append("It takes no new money now.")
    if health.refused_payments >= REFUSED_PAYMENTS:
        found.append(f"It refused the last {health.refused_payments} payments of invoices.")
    if len(health.outcomes) >= ENOUGH and health.failures_percent > 50:
        found.append(f"{health.failures_percent} % of its last answers failed.")
    return found
