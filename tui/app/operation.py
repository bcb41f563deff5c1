"""How a ghost and a relay run: the counts of the node as the earnings pane shows them. Headless.

Speeds are the difference of two snapshots, so the first one has none.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui.app.jsonish import Json, line, lines, maybe_real, maybe_whole, record, records, whole
from tui.app.text import number, percent, plural, took
from tui.sizes import data_size

CELL_BYTES = 2_048
LEAST_S = 0.3  # two snapshots nearer than this tell no speed


@dataclass(frozen=True, slots=True, repr=False)
class Upstream:
    """A provider, or a model file, that answers for the ghost."""

    name: str
    kind: str
    state: str
    failure: str
    wait_s: float | None
    in_flight: int

    @classmethod
    def of(cls, source: Json) -> Upstream:
        return cls(
            name=line(source, "name"),
            kind=line(source, "kind"),
            state=line(source, "state"),
            failure=line(source, "failure"),
            wait_s=maybe_real(source, "wait_s"),
            in_flight=whole(source, "in_flight"),
        )

    @property
    def well(self) -> bool:
        return self.state == "well"

    @property
    def words(self) -> str:
        """`● openai  well  2 under way`."""
        mark = "●" if self.well else "✗" if self.state == "out" else "◌"
        name = (
            self.name if self.name == self.kind or not self.kind else f"{self.name} ({self.kind})"
        )
        parts = [f"{mark} {name}", self.state or "unknown"]
        if self.failure:
            parts.append(self.failure.replace("_", " "))
        if not self.well:
            again = None if self.wait_s is None else took(1000 * self.wait_s)
            parts.append(f"tried again in {again}" if again else "waits for you")
        if self.in_flight:
            parts.append(f"{self.in_flight} under way")
        return "  ".join(parts)


@dataclass(frozen=True, slots=True, repr=False)
class Engine:
    """A model that this node computes itself."""

    model: str
    running: int
    waiting: int
    kept: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    context: int
    per_s: float | None = None
    """Tokens written a second, between the last two looks."""

    @classmethod
    def of(cls, source: Json) -> Engine:
        counts = ("running", "waiting", "kept", "tokens_in", "tokens_cached")
        figures = (whole(source, name) for name in (*counts, "tokens_out", "context"))
        return cls(line(source, "model"), *figures)

    @property
    def words(self) -> str:
        speed = "" if self.per_s is None else f"{self.per_s:.0f} tokens/s  "
        cached = self.tokens_cached / self.tokens_in if self.tokens_in else None
        again = "" if cached is None else f"  {percent(cached)} of questions from memory"
        return (
            f"{self.model}  loaded  {speed}{self.running} running, {self.waiting} waiting  "
            f"{plural(self.kept, 'session')} kept{again}"
        )


@dataclass(frozen=True, slots=True, repr=False)
class GhostState:
    """`ghost.status`."""

    known: bool = False
    paused: bool = False
    running: int = 0
    concurrent: int = 0
    waiting: int = 0
    queue: int = 0
    load_percent: int = 0
    spent_usd: float = 0.0
    usd_per_day: float | None = None
    tokens_today: int = 0
    tokens_per_day: int | None = None
    moderation: str = "none"
    unjudged: int = 0
    models: tuple[str, ...] = ()
    key_refused: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    engines: tuple[Engine, ...] = ()
    at: float = 0.0

    @classmethod
    def of(cls, value: object, before: GhostState, now: float) -> GhostState:
        source = record(value)
        elapsed = now - before.at if before.known else 0.0
        old = {one.model: one.tokens_out for one in before.engines}
        return cls(
            known=True,
            paused=source.get("paused") is True,
            running=whole(source, "running"),
            concurrent=whole(source, "concurrent"),
            waiting=whole(source, "waiting"),
            queue=whole(source, "queue"),
            load_percent=whole(source, "load_percent"),
            spent_usd=maybe_real(source, "spent_usd_today") or 0.0,
            usd_per_day=maybe_real(source, "usd_per_day"),
            tokens_today=whole(source, "tokens_today"),
            tokens_per_day=maybe_whole(source, "tokens_per_day"),
            moderation=line(source, "moderation", "none"),
            unjudged=whole(source, "unjudged"),
            models=tuple(lines(source, "models")),
            key_refused=tuple(lines(source, "key_refused")),
            keys=tuple(lines(source, "keys")),
            warnings=tuple(lines(source, "warnings")),
            upstreams=tuple(Upstream.of(one) for one in records(source.get("upstreams"))),
            engines=tuple(
                _with_speed(Engine.of(one), old, elapsed) for one in records(source.get("engines"))
            ),
            at=now,
        )

    @property
    def lines(self) -> list[tuple[str, str, bool]]:
        """Name, words, and whether they are a worry."""
        used = [
            f"{self.running} of {self.concurrent} answering",
            f"{self.waiting} of {self.queue} waiting",
            f"load {self.load_percent} %",
        ]
        return [
            ("queue", ", ".join(used), False),
            (
                "spent",
                _left(f"${self.spent_usd:.4f}", self.usd_per_day, self.spent_usd, "$"),
                False,
            ),
            (
                "tokens",
                _left(number(self.tokens_today), self.tokens_per_day, self.tokens_today, ""),
                False,
            ),
            ("questions", _moderation(self.moderation, self.unjudged), bool(self.unjudged)),
        ]


def _with_speed(engine: Engine, before: dict[str, int], elapsed: float) -> Engine:
    old = before.get(engine.model)
    if old is None or elapsed < LEAST_S:
        return engine
    made = max(0, engine.tokens_out - old) / elapsed
    counts = (engine.running, engine.waiting, engine.kept, engine.tokens_in, engine.tokens_cached)
    return Engine(engine.model, *counts, engine.tokens_out, engine.context, made)


def _left(used: str, most: float | None, amount: float, unit: str) -> str:
    """`$0.42 today, $4.58 of $5 left`."""
    if not most:
        return f"{used} today, no cap"
    left = max(0.0, most - amount)
    if unit:
        return f"{used} today, {unit}{left:.2f} of {unit}{most:g} left"
    return f"{used} today, {number(left)} of {number(most)} left"


def _moderation(kind: str, unjudged: int) -> str:
    read = {
        "none": "nobody reads them first",
        "rules": "your rules read them first",
        "command": "your program reads them first",
        "provider": "the provider's service reads them first",
    }.get(kind, kind)
    return read + (f"; {unjudged:,} refused, as it gave no verdict" if unjudged else "")


@dataclass(frozen=True, slots=True, repr=False)
class RelaySum:
    """The relay half: what passes through for others."""

    circuits: int
    circuits_most: int
    created: int
    refused: int
    links: int
    links_most: int
    cells: int
    bytes_all: int
    memory_bytes: int
    memory_budget: int
    rate_limit: int
    work_bits: int
    draining: bool
    days: tuple[tuple[str, str], ...]
    at: float
    bytes_s: float | None = None
    """Between the last two looks, both ways together."""

    @classmethod
    def of(cls, value: object, before: RelaySum | None, now: float) -> RelaySum | None:
        """None on a node that carries nothing for others."""
        whole_source = record(value)
        if whole_source.get("relay") is None:
            return None
        source = record(whole_source.get("relay"))
        links = record(source.get("links"))
        total = whole(links, "bytes_in") + whole(links, "bytes_out")
        elapsed = now - before.at if before is not None else 0.0
        speed = None
        if before is not None:
            fresh = elapsed >= LEAST_S
            speed = max(0, total - before.bytes_all) / elapsed if fresh else before.bytes_s
        return cls(
            circuits=whole(source, "circuits"),
            circuits_most=whole(source, "circuits_most"),
            created=whole(source, "circuits_created"),
            refused=whole(source, "circuits_refused"),
            links=whole(links, "links"),
            links_most=whole(source, "links_most"),
            cells=whole(source, "cells_forward") + whole(source, "cells_backward"),
            bytes_all=total,
            memory_bytes=whole(source, "memory_bytes"),
            memory_budget=whole(source, "memory_budget"),
            rate_limit=whole(source, "rate"),
            work_bits=whole(source, "work_bits"),
            draining=source.get("draining") is True,
            days=_days(whole_source),
            at=now,
            bytes_s=speed,
        )

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Name and words."""
        speed = "measuring" if self.bytes_s is None else f"{data_size(int(self.bytes_s))}/s"
        limit = f"of {data_size(self.rate_limit)}/s" if self.rate_limit else "no limit set"
        found = [
            ("bandwidth", f"{speed}, {limit}; {data_size(self.bytes_all)} since the start"),
            (
                "circuits",
                f"{_of(self.circuits, self.circuits_most)} open, {self.created:,} built, "
                f"{self.refused:,} refused",
            ),
            ("links", f"{_of(self.links, self.links_most)}, {number(self.cells)} cells passed on"),
            (
                "memory",
                f"{data_size(self.memory_bytes)} of {data_size(self.memory_budget)} queued",
            ),
        ]
        if self.work_bits:
            found.append(("overload", f"new circuits must bring {self.work_bits} bits of work"))
        if self.draining:
            found.append(("stopping", "no new circuits; what is open runs to its end"))
        return found + [(day, words) for day, words in self.days]


def _of(count: int, most: int) -> str:
    return f"{count:,} of {most:,}" if most else f"{count:,}"


def _days(source: Json) -> tuple[tuple[str, str], ...]:
    """The last seven days, the newest first."""
    found = []
    for day in records(source.get("days")):
        mib = record(day.get("mib"))
        roles = ", ".join(f"{role} {whole(mib, role):,} MiB" for role in sorted(mib))
        found.append((line(day, "day"), roles or "nothing"))
    return tuple(sorted(found, reverse=True)[:7])
