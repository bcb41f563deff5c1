"""The wallet as the screen shows it: plain data. No Textual, no sockets, no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.app.jsonish import Json, line, lines, maybe_real, record, records, whole

SAT = "sat"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MintLine:
    """One unit of one mint. Amounts are in it."""

    url: str
    name: str
    unit: str
    available_sat: int
    reserved_sat: int
    held_sat: int
    resting_sat: int
    healthy: bool | None
    latency_ms: float | None
    last_error: str
    failures_percent: int = 0
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Json) -> MintLine:
        healthy = source.get("healthy")
        return cls(
            url=line(source, "url"),
            name=line(source, "name"),
            unit=line(source, "unit", SAT),
            available_sat=whole(source, "available_sat"),
            reserved_sat=whole(source, "reserved_sat"),
            held_sat=whole(source, "held_sat"),
            resting_sat=whole(source, "resting_sat"),
            healthy=healthy if isinstance(healthy, bool) else None,
            latency_ms=maybe_real(source, "latency_ms"),
            last_error=line(source, "last_error"),
            failures_percent=whole(source, "failures_percent"),
            warnings=tuple(lines(source, "warnings")),
        )

    @property
    def title(self) -> str:
        """Its name, or its address without what all have."""
        return self.name or self.url.partition("://")[2] or self.url


@dataclass(frozen=True, slots=True, repr=False)
class HistoryLine:
    ts: float
    kind: str
    mint: str
    amount_sat: int
    detail: str
    unit: str = SAT

    @classmethod
    def of(cls, source: Json) -> HistoryLine:
        return cls(
            ts=maybe_real(source, "ts") or 0.0,
            kind=line(source, "kind"),
            mint=line(source, "mint"),
            amount_sat=whole(source, "amount_sat"),
            detail=line(source, "detail"),
            unit=line(source, "unit", SAT),
        )


@dataclass(frozen=True, slots=True, repr=False)
class SentLine:
    """A token that was handed out."""

    op_id: str
    mint: str
    amount_sat: int
    unit: str
    ts: float
    state: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, source: Json) -> SentLine:
        return cls(
            op_id=line(source, "op_id"),
            mint=line(source, "mint"),
            amount_sat=whole(source, "amount_sat"),
            unit=line(source, "unit", SAT),
            ts=maybe_real(source, "ts") or 0.0,
            state=line(source, "state", "waiting"),
            token=str(source.get("token") or ""),
        )


@dataclass(slots=True, eq=False, repr=False)
class WalletView:
    """`mints` are the accounts in all units; `total_sat` is of those in sat."""

    known: bool = False
    total_sat: int = 0
    mints: list[MintLine] = field(default_factory=list)
    history: list[HistoryLine] = field(default_factory=list)
    find: str = ""  # what the history was searched for
    all_read: bool = False  # nothing older is in the store
    # By account: what was found there, and why nothing could be looked for.
    restored: dict[str, tuple[int, str]] = field(default_factory=dict)
    revision: int = 0

    def balance(self, value: object) -> None:
        source = record(value)
        self.mints = [MintLine.of(item) for item in records(source.get("mints"))]
        in_sat = sum(m.available_sat for m in self.mints if m.unit == SAT)
        self.total_sat = whole(source, "total_sat", in_sat)
        self.known = True
        self.revision += 1

    def account(self, url: str) -> MintLine | None:
        return next((mint for mint in self.mints if mint.url == url), None)

    def title(self, url: str) -> str:
        found = self.account(url)
        return found.title if found is not None else url

    # -- history -----------------------------------------------------------------------------

    def set_history(self, value: object) -> None:
        """The newest page. What was read of older ones stays, as long as they meet."""
        page = [HistoryLine.of(item) for item in records(value)]
        if not self.history or not page:
            merged = page
        elif self.history[0] in page:
            merged = page[: page.index(self.history[0])] + self.history
        else:
            merged, self.all_read = page, False
        if merged != self.history:
            self.history = merged
            self.revision += 1

    def add_older(self, value: object, asked: int) -> None:
        """The page after the last line; it is the end when it is not full."""
        page = [HistoryLine.of(item) for item in records(value)]
        self.history = [*self.history, *page]
        self.all_read = len(page) < asked
        self.revision += 1

    def search(self, text: str) -> None:
        """Forget what was read: other lines come."""
        self.find, self.history, self.all_read = text, [], False
        self.revision += 1

    def restoring(self, value: object) -> None:
        """One more mint has answered, or has not."""
        source = record(value)
        found = whole(source, "recovered_sat"), line(source, "trouble")
        self.restored[line(source, "mint")] = found
        self.revision += 1
