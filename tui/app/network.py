"""What the network pane shows: known nodes, where they came from, offers, guards. Headless."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tui.app.jsonish import Json, line, lines, maybe_real, record, records, whole
from tui.app.text import age, in_sat, percent, plural


@dataclass(frozen=True, slots=True, repr=False)
class NodeLine:
    """One relay or ghost."""

    short_id: str
    roles: str
    age_s: float


@dataclass(frozen=True, slots=True, repr=False)
class PriceLine:
    """One model, who offers it, at which prices."""

    model: str
    ghosts: int
    in_price: str
    out_price: str

    @classmethod
    def of(cls, source: Json) -> PriceLine:
        return cls(
            model=line(source, "model"),
            ghosts=whole(source, "ghosts"),
            in_price=_span(whole(source, "in_low"), whole(source, "in_high")),
            out_price=_span(whole(source, "out_low"), whole(source, "out_high")),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Fact:
    """One line on top: a name, words, and whether they are a worry."""

    name: str
    words: str
    worry: bool = False


@dataclass(slots=True, eq=False, repr=False)
class NetworkView:
    """The last `network` snapshot."""

    known: bool = False
    facts: list[Fact] = field(default_factory=list)
    nodes: list[NodeLine] = field(default_factory=list)
    prices: list[PriceLine] = field(default_factory=list)
    revision: int = 0
    _seen: object = None

    def update(self, value: object) -> None:
        """Take a snapshot; the revision changes only when it does."""
        source = record(value)
        directory, paths = record(source.get("directory")), record(source.get("paths"))
        facts = [
            _counts(source, directory),
            *_view(directory),
            *_sources(directory),
            *_reach(directory),
            *_guard(paths),
            *(Fact("trouble", words, worry=True) for words in lines(directory, "errors")),
        ]
        nodes, prices = _nodes(source), [PriceLine.of(i) for i in records(source.get("offers"))]
        fresh = (facts, nodes, prices)
        if fresh != self._seen:
            self._seen, self.revision = fresh, self.revision + 1
            self.facts, self.nodes, self.prices, self.known = facts, nodes, prices, True


def _span(low: int, high: int) -> str:
    return in_sat(low) if low == high else f"{in_sat(low)} – {in_sat(high)}"


def _nodes(source: Json) -> list[NodeLine]:
    found = {}
    for item in [*records(source.get("relays")), *records(source.get("ghosts"))]:
        node = NodeLine(
            line(item, "id")[:8], ", ".join(lines(item, "roles")), maybe_real(item, "age_s") or 0.0
        )
        found[node.short_id] = node
    return sorted(found.values(), key=lambda node: (node.roles, node.short_id))


def _counts(source: Json, directory: Json) -> Fact:
    known = [
        plural(len(records(source.get("relays"))), "relay"),
        plural(len(records(source.get("ghosts"))), "ghost"),
    ]
    name = line(directory, "network")
    words = f"{name}: {' and '.join(known)}" if name else " and ".join(known)
    if epoch := whole(directory, "epoch"):
        words += f"; epoch {epoch}, {age(maybe_real(directory, 'epoch_left_s'))} left"
    return Fact("network", words)


def _view(directory: Json) -> list[Fact]:
    view = directory.get("view")
    if view is None:
        return []
    source = record(view)
    sources = plural(whole(source, "sources"), "source")
    when = age(time.time() - (maybe_real(source, "at") or 0.0))
    told = f"{whole(source, 'known'):,} nodes from {sources}, {when} ago"
    dissenting = lines(source, "dissenting")
    if not dissenting:
        return [Fact("view", f"{told}; they agree")]
    lowest = percent(maybe_real(source, "lowest"))
    return [Fact("view", f"{told}; {', '.join(dissenting)} showed only {lowest}", worry=True)]


def _sources(directory: Json) -> list[Fact]:
    named = [
        f"{line(item, 'origin')} {whole(item, 'contacts')}"
        + (f" ({whole(item, 'answered')} answered)" if whole(item, "answered") else "")
        for item in records(directory.get("sources"))
    ]
    if not named:
        return [Fact("contacts", "nobody to ask; j joins by an invite", worry=True)]
    heard, possible = whole(directory, "networks_heard"), whole(directory, "networks_possible")
    return [
        Fact("contacts", ", ".join(named)),
        *([Fact("asked", f"{heard} of {plural(possible, 'network')} answered")] * bool(possible)),
    ]


def _reach(directory: Json) -> list[Fact]:
    reach = directory.get("reach")
    if reach is None:
        return []
    source = record(reach)
    state, address = line(source, "state"), line(source, "address") or "not known yet"
    words = f"{address}, {state}"
    if asked := whole(source, "asked"):
        words += (
            f": {whole(source, 'agreeing')} of {asked} agree, {whole(source, 'reached')} got in"
        )
    return [Fact("address", words, worry=state in ("unreachable", "unknown"))]


def _guard(paths: Json) -> list[Fact]:
    if not paths:
        return []
    guard, kept = line(paths, "guard"), maybe_real(paths, "guard_age_s")
    words = f"{guard}, kept {age(kept)}" if guard else "none chosen yet"
    return [Fact("guard", f"{words}; paths from {plural(whole(paths, 'set_size'), 'relay')}")]
