"""Control protocol: what the serving side earned. Counts only, no content."""

from __future__ import annotations

from engine.control.protocol.frames import Result


class ModelEarnings(Result, frozen=True):
    model: str
    answers: int = 0
    msat: int = 0


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
