"""Circuits as the screen shows them: rates from successive snapshots, padding shares, events.

Headless. The node counts cells; this turns two counts and the time between them into cells/s.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tui.app.happenings import Happenings, kind_of
from tui.app.jsonish import Json, line, maybe_real, maybe_whole, record, records, whole
from tui.app.traffic import TrafficSum

HISTORY = 120  # samples kept per circuit: one minute at two a second
SAME_EVENT_S = 1.0  # an event heard and the same event read back differ by less


@dataclass(frozen=True, slots=True)
class Hop:
    """One relay of a path: what it is there for, and the short form of its id."""

    role: str
    short_id: str
    built_ms: float | None = None
    place: str = ""  # autonomous system and country, where a table knows them


@dataclass(slots=True, eq=False, repr=False)
class Circuit:
    circuit_id: str
    purpose: str = ""
    state: str = ""
    hops: list[Hop] = field(default_factory=list)
    age_s: float = 0.0
    cells_up: int = 0
    cells_down: int = 0
    data_up: int = 0
    data_down: int = 0
    rtt_ms: float | None = None
    shape_class: str = ""
    tick_ms: int = 0
    running: bool = False
    dummies: int | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    why: str = ""
    guard_age_s: float | None = None
    reason: str = ""
    up_rate: float = 0.0
    down_rate: float = 0.0
    up_history: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    down_history: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))

    @property
    def padding_share(self) -> float | None:
        """The share of cells that carried no data, over the circuit's life."""
        cells = self.cells_up + self.cells_down
        if cells <= 0:
            return None
        if self.dummies is not None:
            return min(1.0, self.dummies / cells)
        return min(1.0, max(0.0, 1 - (self.data_up + self.data_down) / cells))

    @property
    def is_open(self) -> bool:
        return self.state in ("open", "ready", "up", "active")

    @property
    def is_closed(self) -> bool:
        return self.state in ("closed", "failed", "dead", "closing")

    @property
    def glyph(self) -> str:
        """State without colour: filled is open, hollow is building, a cross is gone."""
        return "●" if self.is_open else "✗" if self.is_closed else "◌"


class CircuitBook:
    """The circuits of the node, with their recent rates and what happened to them."""

    def __init__(self) -> None:
        self.circuits: dict[str, Circuit] = {}
        self.happenings = Happenings()
        self.relay_ages: dict[str, float] = {}
        self.sums = TrafficSum()
        self.guards_used = 0
        self.revision = 0
        self._sampled: float | None = None

    def ordered(self) -> list[Circuit]:
        """Open ones first, then building, then gone; the youngest first in each."""
        return sorted(
            self.circuits.values(),
            key=lambda c: (c.is_closed, not c.is_open, c.age_s, c.circuit_id),
        )

    def snapshot(self, value: object, now: float, wall: float) -> None:
        fresh: dict[str, Circuit] = {}
        elapsed = None if self._sampled is None else now - self._sampled
        for source in records(value):
            circuit = self._read(source)
            old = self.circuits.get(circuit.circuit_id)
            if old is not None:
                circuit.up_history, circuit.down_history = old.up_history, old.down_history
                if elapsed is not None and elapsed > 0.05:
                    circuit.up_rate = max(0, circuit.cells_up - old.cells_up) / elapsed
                    circuit.down_rate = max(0, circuit.cells_down - old.cells_down) / elapsed
                    circuit.up_history.append(circuit.up_rate)
                    circuit.down_history.append(circuit.down_rate)
            fresh[circuit.circuit_id] = circuit
        for gone in self.circuits.keys() - fresh.keys():
            if not self.circuits[gone].is_closed:
                self._note(wall, f"circuit {gone} is gone", self.circuits[gone].purpose)
        self.circuits = fresh
        self._sampled = now
        self.revision += 1

    def changed(self, data: Json, wall: float) -> None:
        """Take a `circuit.changed` event."""
        name, state = line(data, "circuit_id"), line(data, "state")
        reason = line(data, "reason")
        self._note(wall, _event_words(data), line(data, "purpose"))
        if (known := self.circuits.get(name)) is not None and state:
            known.state, known.reason = state, reason

    def network(self, value: object) -> None:
        """Ages of relays from the directory, by the short id that hops show."""
        source = record(value)
        ages: dict[str, float] = {}
        for item in [*records(source.get("relays")), *records(source.get("ghosts"))]:
            seconds = maybe_real(item, "age_s")
            if seconds is not None:
                ages[line(item, "id")[:8]] = seconds
        self.relay_ages = ages
        self.guards_used = _guards_used(record(source.get("paths")))

    def traffic(self, value: object) -> None:
        """Take a `traffic` snapshot."""
        fresh = TrafficSum.of(value)
        if fresh != self.sums:
            self.sums = fresh
            self.revision += 1

    def history(self, value: object) -> None:
        """Take what happened before this screen listened, from `circuit.notes`."""
        first = self.happenings.first
        fresh = [
            (when, _event_words(item), kind_of(line(item, "purpose")))
            for item in records(value)
            if (when := maybe_real(item, "ts") or 0.0) < first - SAME_EVENT_S
        ]
        if fresh:
            self.happenings.add_before(fresh)
            self.revision += 1

    @property
    def events(self) -> list[tuple[float, str]]:
        """All that happened, of whatever kind."""
        return self.happenings.all()

    def show_others(self) -> str:
        """The next view of what happened."""
        self.revision += 1
        return self.happenings.turn()

    def note(self, wall: float, text: str) -> None:
        self._note(wall, text)

    def _note(self, wall: float, text: str, purpose: str = "") -> None:
        self.happenings.add(wall, text, kind_of(purpose))
        self.revision += 1

    @staticmethod
    def _read(source: Json) -> Circuit:
        hops = [
            Hop(
                line(h, "role", "relay"),
                line(h, "id")[:8],
                maybe_real(h, "built_ms"),
                _hop_place(h),
            )
            for h in records(source.get("hops"))
        ]
        return Circuit(
            circuit_id=line(source, "circuit_id"),
            purpose=line(source, "purpose"),
            state=line(source, "state"),
            hops=hops,
            age_s=maybe_real(source, "age_s") or 0.0,
            cells_up=whole(source, "cells_up"),
            cells_down=whole(source, "cells_down"),
            data_up=whole(source, "data_cells_up"),
            data_down=whole(source, "data_cells_down"),
            rtt_ms=maybe_real(source, "rtt_ms"),
            shape_class=line(source, "shape_class"),
            tick_ms=whole(source, "tick_ms"),
            running=source.get("running") is True,
            dummies=_dummies(source),
            bytes_up=whole(source, "bytes_up"),
            bytes_down=whole(source, "bytes_down"),
            why=line(source, "why"),
            guard_age_s=maybe_real(source, "guard_age_s"),
            reason=line(source, "reason"),
        )


def _hop_place(source: Json) -> str:
    """`AS24940 DE`, as far as it is known."""
    asn = maybe_whole(source, "asn")
    return " ".join(part for part in (f"AS{asn}" if asn else "", line(source, "country")) if part)


def _guards_used(paths: Json) -> int:
    """Guards that circuits went through, the one in use included."""
    guards = records(paths.get("guards"))
    used = sum(1 for g in guards if whole(g, "builds") or whole(g, "circuits"))
    return max(used, 1 if line(paths, "guard") else 0)


def _dummies(source: Json) -> int | None:
    """Dummies both ways; None from a node that does not count them."""
    if "dummies_up" not in source:
        return None
    return whole(source, "dummies_up") + whole(source, "dummies_down")


def _event_words(data: Json) -> str:
    """`chat circuit 3 closed: finished`."""
    purpose, state, reason = line(data, "purpose"), line(data, "state"), line(data, "reason")
    plain = reason in ("", f"{state} for {purpose}")
    words = state if plain else f"{state}: {reason}"
    return f"{purpose} circuit {line(data, 'circuit_id')} {words}".strip()
