"""The caps of a day (UTC): what the providers may cost, and how many tokens may go through.

A question is counted at the most it can cost before its provider is asked, in the books first, and
at what it did cost afterwards. What was under way when the process died stays counted at its most.
So the cap holds, at the price of refusing a little early.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.exit.admission import Spent
from engine.exit.settings_models import Costs, ModelSettings
from engine.exit.settings_rules import CapSettings
from engine.market.commands import Refusal

DAY_S = 86_400
MILLION = 1_000_000
_FREE_FAILURES = frozenset({"auth", "rate_limit", "bad_request", "unreachable"})
"""The provider did not begin: nothing came, and nothing is charged for that."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Micro-dollars and tokens of both kinds together."""

    micro_usd: int = 0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.micro_usd + other.micro_usd, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.micro_usd - other.micro_usd, self.tokens - other.tokens)


class SpendBook(Protocol):
    """Where spending is written down: `wallet.store.ghost.GhostBook`."""

    async def begin(self, day: int, model: str, micro_usd: int, tokens: int) -> int: ...
    async def end(
        self,
        entry: int,
        *,
        micro_usd: int,
        cost_msat: int,
        tokens_in: int,
        tokens_out: int,
        tokens: int,
    ) -> None: ...
    async def spent(self, day: int) -> tuple[int, int]: ...
    async def close_open(self) -> int: ...


def most(model: ModelSettings, body_bytes: int, max_tokens: int) -> Amount:
    """The most a question can cost: a token has a byte at least, a picture weighs what the meter
    takes it for."""
    costs = model.costs or Costs()
    dearest_in = max(costs.tokens_in, costs.cached)
    dearest_out = max(costs.tokens_out, costs.reasoning)
    micro_usd = -(-(body_bytes * dearest_in + max_tokens * dearest_out) // MILLION)
    return Amount(micro_usd, body_bytes + max_tokens)


def actual(model: ModelSettings, body_bytes: int, spent: Spent) -> tuple[Amount, int, int]:
    """What a question did cost, and its tokens in and out. Where the provider gave no counts, all
    that was sent is counted as for `most`, and what came as a token for each two bytes."""
    costs, usage = model.costs or Costs(), spent.usage
    if usage is None:
        if spent.failure in _FREE_FAILURES and not spent.text_bytes:
            return Amount(), 0, 0
        tin, tout = body_bytes, -(-spent.text_bytes // 2)
        micro = tin * costs.tokens_in + tout * max(costs.tokens_out, costs.reasoning)
        return Amount(-(-micro // MILLION), tin + tout), tin, tout
    cached = min(getattr(usage, "cached", 0), usage.tokens_in)
    thought = min(getattr(usage, "reasoning", 0), usage.tokens_out)
    micro = (
        (usage.tokens_in - cached) * costs.tokens_in
        + cached * costs.cached
        + (usage.tokens_out - thought) * costs.tokens_out
        + thought * costs.reasoning
    )
    tokens = usage.tokens_in + usage.tokens_out
    return Amount(-(-micro // MILLION), tokens), usage.tokens_in, usage.tokens_out


class Caps:
    """The books of today. `load` first."""

    def __init__(self, book: SpendBook, settings: CapSettings, *, now: float) -> None:
        self.settings = settings
        self._book = book
        self._day = int(now // DAY_S)
        self._spent = Amount()
        self._held = Amount()

    async def load(self, now: float) -> None:
        """Read what this day has cost; what was under way at a crash counts at its most."""
        await self._book.close_open()
        self._day = int(now // DAY_S)
        self._spent = Amount(*await self._book.spent(self._day))

    def used(self, now: float) -> Amount:
        """Spent today, with the most of what is under way."""
        self._turn_over(now)
        return self._spent + self._held

    def spent(self, now: float) -> Amount:
        """Spent today for good."""
        self._turn_over(now)
        return self._spent

    def hold(self, amount: Amount, now: float) -> Held | Refusal:
        """Count a question at its most, or say why there is no room for it."""
        self._turn_over(now)
        if not self._fits(self._spent + amount):
            after = DAY_S - int(now % DAY_S)
            said = "The ghost has reached its cap for today."
            return Refusal(said, "cap_reached", after)
        if not self._fits(self._spent + self._held + amount):
            said = "What is under way at the ghost may reach its cap for today."
            return Refusal(said, "cap_reached", 60)
        return Held(self, amount, self._day)

    def _fits(self, amount: Amount) -> bool:
        usd, tokens = self.settings.micro_usd_per_day, self.settings.tokens_per_day
        return (not usd or amount.micro_usd <= usd) and (not tokens or amount.tokens <= tokens)

    def _turn_over(self, now: float) -> None:
        day = int(now // DAY_S)
        if day > self._day:
            self._day, self._spent = day, Amount()

    def count(self, held: Amount) -> None:
        """A question is under way, or (with the negative) not any more."""
        self._held += held

    def settle(self, day: int, cost: Amount) -> None:
        """It cost this on that day."""
        if day == self._day:
            self._spent += cost


class Held:
    """One question's part of the caps, from its admission to the end of its answer."""

    def __init__(self, caps: Caps, amount: Amount, day: int) -> None:
        self._caps = caps
        self._amount = amount
        self._day = day
        self._entry: int | None = None
        self._counted = True
        caps.count(amount)

    async def begin(self, book: SpendBook, model: str) -> None:
        """In the books at its most, before the provider hears of it."""
        amount = self._amount
        self._entry = await book.begin(self._day, model, amount.micro_usd, amount.tokens)

    async def end(
        self, book: SpendBook, cost: Amount, cost_msat: int, tokens_in: int, tokens_out: int
    ) -> None:
        """In the books at what it was."""
        if self._entry is None:
            return
        entry, self._entry = self._entry, None
        self._uncount()
        self._caps.settle(self._day, cost)
        await book.end(
            entry,
            micro_usd=cost.micro_usd,
            cost_msat=cost_msat,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            tokens=cost.tokens,
        )

    def release(self) -> None:
        """Not asked for: nothing was spent. While it is in the books, `end` does it."""
        if self._entry is None:
            self._uncount()

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self._caps.count(Amount() - self._amount)
