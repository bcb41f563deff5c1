"""What the earnings pane shows: money, the ghost's state, the relay beside it. Headless."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.app.jsonish import Json, line, lines, maybe_real, maybe_whole, record, records, whole
from tui.app.operation import GhostState, RelaySum


@dataclass(frozen=True, slots=True, repr=False)
class ModelSum:
    """One model: answers, what they brought, what the provider asks for them (msat)."""

    model: str
    answers: int
    msat: int
    cost_msat: int


@dataclass(frozen=True, slots=True, repr=False)
class Period:
    """An hour or a day from `ts` on (unix seconds)."""

    ts: float
    msat: int
    answers: int
    cost_msat: int

    @classmethod
    def of(cls, source: Json) -> Period:
        return cls(
            maybe_real(source, "ts") or 0.0,
            whole(source, "msat"),
            whole(source, "answers"),
            whole(source, "cost_msat"),
        )


@dataclass(frozen=True, slots=True, repr=False)
class PayoutLine:
    """One payment of earnings to a Lightning address."""

    ts: float
    state: str
    amount_sat: int
    fee_sat: int
    address: str
    error: str

    @classmethod
    def of(cls, source: Json) -> PayoutLine:
        return cls(
            ts=maybe_real(source, "created") or 0.0,
            state=line(source, "state"),
            amount_sat=whole(source, "amount_sat"),
            fee_sat=whole(source, "fee_sat"),
            address=line(source, "address"),
            error=line(source, "error"),
        )


@dataclass(slots=True, eq=False, repr=False)
class EarningsView:
    """The last snapshots of `earnings`, `ghost.status`, `traffic` and `ghost.payouts`."""

    known: bool = False
    enabled: bool = False
    total_msat: int = 0
    today_msat: int = 0
    week_msat: int = 0
    cost_msat: int = 0
    margin_msat: int = 0
    answers: int = 0
    refused: int = 0
    tokens_out: int = 0
    sessions_open: int = 0
    mailed: int = 0
    credit_msat: int = 0
    paid_out_sat: int = 0
    models: list[ModelSum] = field(default_factory=list)
    recent: list[tuple[float, str, int, int, int]] = field(default_factory=list)
    hours: list[Period] = field(default_factory=list)
    days: list[Period] = field(default_factory=list)
    refusals: list[tuple[str, int]] = field(default_factory=list)
    payouts: list[PayoutLine] = field(default_factory=list)
    ghost: GhostState = field(default_factory=GhostState)
    relay: RelaySum | None = None
    revision: int = 0

    def update(self, value: object) -> None:
        """Take `earnings`."""
        source = record(value)
        self.known = True
        self.enabled = source.get("enabled") is True
        for name in _COUNTS:
            setattr(self, name, whole(source, name))
        self.models = [
            ModelSum(line(m, "model"), whole(m, "answers"), whole(m, "msat"), whole(m, "cost_msat"))
            for m in records(source.get("models"))
        ]
        self.recent = [_recent(item) for item in records(source.get("recent"))]
        self.hours = [Period.of(item) for item in records(source.get("hours"))]
        self.days = [Period.of(item) for item in records(source.get("days"))]
        refusals = record(source.get("refusals"))
        counts = [(clean, whole(refusals, code)) for code, clean in _names(refusals)]
        self.refusals = sorted(counts, key=lambda item: (-item[1], item[0]))
        self.revision += 1

    def set_ghost(self, value: object, now: float) -> None:
        """Take `ghost.status`; speeds of engines come from two of them."""
        self.ghost = GhostState.of(value, self.ghost, now)
        self.revision += 1

    def set_traffic(self, value: object, now: float) -> None:
        """Take `traffic`: the relay half of this node, if it has one."""
        self.relay = RelaySum.of(value, self.relay, now)
        self.revision += 1

    def set_payouts(self, value: object) -> None:
        """Take `ghost.payouts`, the latest first."""
        self.payouts = [PayoutLine.of(item) for item in records(value)]
        self.revision += 1


_COUNTS = (
    *("total_msat", "today_msat", "week_msat", "cost_msat", "margin_msat"),
    *("answers", "refused", "tokens_out", "sessions_open", "mailed", "credit_msat"),
    "paid_out_sat",
)


def _names(refusals: Json) -> list[tuple[str, str]]:
    """Codes as they are kept, and in clean words."""
    names = lines({"codes": list(refusals)}, "codes")
    return list(zip(refusals, names, strict=True))


def _recent(source: Json) -> tuple[float, str, int, int, int]:
    return (
        maybe_real(source, "ts") or 0.0,
        line(source, "model"),
        whole(source, "tokens_in"),
        whole(source, "tokens_out"),
        maybe_whole(source, "cost_msat") or 0,
    )
