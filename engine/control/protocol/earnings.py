"""Control protocol: what the serving side earned. Counts only, no content."""

from __future__ import annotations

from engine.control.protocol.frames import Result


class ModelEarnings(Result, frozen=True):
    model: str
    answers: int = 0
    msat: int = 0
    cost_msat: int = 0
    """What the provider asks for them, by its list prices and the operator's rate."""


class PeriodEarnings(Result, frozen=True):
    """An hour or a day (UTC), from `ts` on. A day also has its costs."""

    ts: float
    msat: int = 0
    answers: int = 0
    cost_msat: int = 0


class RecentEarning(Result, frozen=True):
    ts: float
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_msat: int = 0


class Earnings(Result, frozen=True):
    enabled: bool = False
    total_msat: int = 0
    today_msat: int = 0
    week_msat: int = 0
    answers: int = 0
    refused: int = 0
    tokens_out: int = 0
    models: list[ModelEarnings] = []
    recent: list[RecentEarning] = []
    series: list[tuple[float, int]] = []
    sessions_open: int = 0
    mailed: int = 0
    """Answers sent to mailboxes since the node was started."""
    credit_msat: int = 0
    hours: list[PeriodEarnings] = []
    """The last 24, the oldest first."""
    days: list[PeriodEarnings] = []
    """The last 30, the oldest first."""
    cost_msat: int = 0
    margin_msat: int = 0
    """Earned less what the providers ask."""
    uncounted: list[str] = []
    """Models whose costs are in no sum: the settings lack them, or the rate."""
    refusals: dict[str, int] = {}
    """Refused questions by reason."""
    queue_running: int = 0
    queue_waiting: int = 0
    spent_usd_today: float = 0
    usd_per_day: float | None = None
    paid_out_sat: int = 0
