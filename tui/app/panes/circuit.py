"""The circuit pane: every circuit in a line, the chosen one drawn hop by hop, and recent events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Static

from tui.app.circuits import Circuit
from tui.app.explain import Figure, figures, link_figure
from tui.app.panes.base import Pane, style_sheet
from tui.app.panes.circuit_deeds import CircuitDeeds
from tui.app.text import (
    age,
    ellipsis,
    moment,
    percent,
    plural,
    rate,
    spark,
    took,
)
from tui.sizes import data_size

if TYPE_CHECKING:
    from tui.app.app import PeerApp

COLUMNS = (
    ("", 1),
    ("no.", 4),
    ("for", 8),
    ("state", 8),
    ("shape", 9),
    ("age", 6),
    ("▲/s", 7),
    ("▼/s", 7),
    ("dummies", 7),
)


WIDE = 120  # columns from which the numbers on top are written out
TALL = 30  # rows from which there is room for more (as in the style sheet)


class CircuitPane(CircuitDeeds, Pane):
    group = "circuit"
    DEFAULT_CSS = style_sheet("tables", "circuit")

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._revision: object = None
        self._ids: list[str] = []

    def compose(self) -> ComposeResult:
        table: DataTable[Content | str] = DataTable(
            id="circuits", cursor_type="row", zebra_stripes=False, cell_padding=1
        )
        yield Static(id="circuit-facts")
        yield table
        with VerticalScroll(id="circuit-detail"):
            yield Static(id="circuit-drawing")
            yield Static(id="circuit-events")

    def on_mount(self) -> None:
        self.table = self.query_one(DataTable)
        for label, width in COLUMNS:
            right = label in ("▲/s", "▼/s", "dummies")
            self.table.add_column(label.rjust(width) if right else label, width=width)
        self.facts = self.query_one("#circuit-facts", Static)
        self.drawing = self.query_one("#circuit-drawing", Static)
        self.events_view = self.query_one("#circuit-events", Static)
        self.query_one("#circuits").border_title = "Circuits; ▲ ▼ in cells a second"

    def focus_first(self) -> None:
        self.table.focus()

    def paint(self) -> None:
        book = self.model.circuits
        numbers = (self.model.revision, book.guards_used, len(self.model.chat.sessions))
        fresh = (
            *(book.revision, self.size.width, self.table.cursor_row, self.model.link.state),
            *numbers,
        )
        if fresh == self._revision:
            return
        self._revision = fresh
        circuits = book.ordered()
        self._paint_facts()
        self._paint_table(circuits)
        self.drawing.update(self._detail(circuits))
        self.events_view.update(self._events())

    def _paint_table(self, circuits: list[Circuit]) -> None:
        ids = [circuit.circuit_id for circuit in circuits]
        if ids != self._ids:
            chosen = self._chosen_id()
            self.table.clear()
            for circuit in circuits:
                self.table.add_row(*_cells(circuit), key=circuit.circuit_id)
            self._ids = ids
            if chosen in ids:
                self.table.move_cursor(row=ids.index(chosen), animate=False)
            return
        for row, circuit in enumerate(circuits):
            for column, value in enumerate(_cells(circuit)):
                if self.table.get_cell_at((row, column)) != value:  # type: ignore[arg-type]
                    self.table.update_cell_at((row, column), value)  # type: ignore[arg-type]

    def _paint_facts(self) -> None:
        """Tier, chance of being linked, set, guard and leak, in as many lines as they need."""
        parts: list[Content] = []
        wide = self.size.width >= WIDE
        for fact in self._numbers():
            word, value = (fact.name, fact.long) if wide else (fact.label, fact.short)
            name = (f"{word} ", "$muted") if word else ("", "")
            parts.append(Content.assemble(name, (value, f"${fact.tone}")))
        self.facts.update(Content("   ").join(parts))

    def _numbers(self) -> list[Figure]:
        """The numbers on top of the pane; `e` explains them."""
        tier, _last, _wallet, drawn, guard, leak = figures(self.model)
        chance = link_figure(self.model.circuits.guards_used, len(self.model.chat.sessions))
        return [tier, chance, drawn, guard, leak]

    @property
    def _short(self) -> bool:
        return self.app.size.height < TALL

    def _chosen_id(self) -> str:
        row = self.table.cursor_row
        return self._ids[row] if 0 <= row < len(self._ids) else ""

    def _detail(self, circuits: list[Circuit]) -> Content:
        if not circuits:
            return self._empty()
        chosen = self._chosen_id()
        circuit = next((c for c in circuits if c.circuit_id == chosen), circuits[0])
        return Content("\n").join(
            [
                self._title(circuit),
                *([Content.styled(circuit.why, "$muted")] if circuit.why else []),
                *self._path(circuit),
                *_flow(circuit, self.drawing.size.width),
            ]
        )

    def _empty(self) -> Content:
        known = self.model.status.relays_known
        if self.model.link.state != "up":
            words = "The node is not connected, so there is nothing to show."
        elif known is not None and known < 3:
            words = (
                f"No circuit is open. The node knows {plural(known, 'relay')}, and a path needs a "
                "guard and two middle relays that do not belong together, and a ghost."
            )
        else:
            words = "No circuit is open yet. The node builds one when it needs it: ask something."
        return Content.styled(words, "$muted")

    def _title(self, circuit: Circuit) -> Content:
        parts: list[Content | str | tuple[str, str]] = [
            (f"{circuit.glyph} ", _tone(circuit)),
            (f"Circuit {circuit.circuit_id}", "bold"),
            ("  for ", "$muted"),
            circuit.purpose or "anything",
            ("  shape ", "$muted"),
            _shape_words(circuit),
        ]
        if circuit.rtt_ms is not None and not self._short:
            parts += [("  there and back ", "$muted"), took(circuit.rtt_ms)]
        if circuit.reason:
            parts.append((f"  {circuit.reason}", "$warning"))
        return Content.assemble(*parts)

    def _rule(self, is_open: bool) -> str:
        """What the line between two hops is made of; nothing in the plain profile."""
        if not self.peer.profile.framed:
            return " "
        return "─" if is_open else "╌"

    def _path(self, circuit: Circuit) -> list[Content]:
        """you ── guard ── middle ── middle ── ghost, with ids and ages below each hop."""
        hops = [("you", "this node", "")]
        for hop in circuit.hops:
            hops.append((hop.role, hop.short_id, self._hop_age(circuit, hop.role, hop.short_id)))
        step = max(13, min(28, (self.drawing.size.width - 2) // max(1, len(hops))))
        top, ids, ages = Content(""), Content(""), Content("")
        for number, (role, name, known) in enumerate(hops):
            last = number + 1 == len(hops)
            line = "" if last else " " + self._rule(circuit.is_open) * (step - len(role) - 2)
            tone = {"you": "$primary", "ghost": "$accent", "exit": "$accent"}.get(
                role, "$secondary"
            )
            top = Content.assemble(top, (role, f"bold {tone}"), (f"{line} ", "$muted"))
            ids = Content.assemble(ids, ellipsis(name, step - 1).ljust(step))
            ages = Content.assemble(ages, (ellipsis(known, step - 1).ljust(step), "$muted"))
        return [top, ids, ages, *_measured(circuit, step)[: 1 if self._short else None]]

    def _hop_age(self, circuit: Circuit, role: str, short_id: str) -> str:
        if role == "guard" and (kept := self._guard_age_s(circuit)) is not None:
            return f"kept {age(kept)}"
        seconds = self.model.circuits.relay_ages.get(short_id)
        return "" if seconds is None else f"known {age(seconds)}"

    def _guard_age_s(self, circuit: Circuit | None) -> float | None:
        """Of the circuit's own guard; of the one in use where the node does not say."""
        own = circuit.guard_age_s if circuit is not None else None
        return self.model.status.guard_age_s if own is None else own

    def _events(self) -> Content:
        short = self._short
        lines = [] if short else [Content("")]
        happenings = self.model.circuits.happenings
        title = ("  " + happenings.title, "$muted") if happenings.title else ("", "")
        lines.append(Content.assemble(("What happened", "bold $muted"), title))
        events = happenings.shown()[-12:]
        if not events:
            lines.append(Content.styled("Nothing yet.", "$muted"))
        for wall, text in reversed(events):
            when = moment(wall, "%H:%M:%S")
            lines.append(Content.assemble((f"{when}  ", "$muted"), text))
        if sums := self.model.circuits.sums.lines:
            lines += [] if short else [Content("")]
            lines.append(Content.styled("Since the node started", "bold $muted"))
            lines += [Content(words) for words in sums]
        return Content("\n").join(lines)

    async def do_explain(self) -> None:
        from tui.app.screens.numbers import NumbersScreen

        book, chosen = self.model.circuits, self._chosen_id()
        circuit = book.circuits.get(chosen)
        numbers = [(f.name or "traffic", f.long, f.meaning) for f in self._numbers()]
        screen = NumbersScreen(circuit, book.sums, numbers)
        await self.peer.push_screen_wait(screen)


def _measured(circuit: Circuit, step: int) -> list[Content]:
    """Times and networks of the hops, where there is room and something is known."""
    lines, hops = [], circuit.hops
    if any(hop.built_ms is not None for hop in hops):
        times = ["" if hop.built_ms is None else took(hop.built_ms) for hop in hops]
        lines.append(_row(["round trip", *times], step))
    if any(hop.place for hop in hops):
        lines.append(_row(["", *(hop.place for hop in hops)], step))
    return lines


def _row(words: list[str], step: int) -> Content:
    """One muted line below the path, a column for each hop."""
    return Content.styled("".join(ellipsis(w, step - 1).ljust(step) for w in words), "$muted")


def _tone(circuit: Circuit) -> str:
    return "$success" if circuit.is_open else "$error" if circuit.is_closed else "$warning"


def _cells(circuit: Circuit) -> tuple[Content | str, ...]:
    return (
        Content.styled(circuit.glyph, _tone(circuit)),
        Content(circuit.circuit_id[:4]),
        Content(ellipsis(circuit.purpose, 8)),
        Content(circuit.state),
        Content(circuit.shape_class),
        age(circuit.age_s),
        rate(circuit.up_rate).rjust(7),
        rate(circuit.down_rate).rjust(7),
        percent(circuit.padding_share).rjust(7) if circuit.padding_share is not None else "",
    )


def _shape_words(circuit: Circuit) -> str:
    if not circuit.tick_ms:
        return circuit.shape_class or "unknown"
    now = "in a run" if circuit.running else "at rest"
    return f"{circuit.shape_class}, {circuit.tick_ms} ms, {now}"


def _flow(circuit: Circuit, width: int) -> list[Content]:
    lines = []
    room = 30 if width >= 90 else 12
    for word, arrow, total, data, size, history in (
        ("up  ", "▲", circuit.cells_up, circuit.data_up, circuit.bytes_up, circuit.up_history),
        (
            "down",
            "▼",
            circuit.cells_down,
            circuit.data_down,
            circuit.bytes_down,
            circuit.down_history,
        ),
    ):
        last = history[-1] if history else 0.0
        lines.append(
            Content.assemble(
                (f"{arrow} {word} ", "$muted"),
                (f"{rate(last):>5} cells/s ", ""),
                (f"{spark(history, room):<{room}} ", "$primary"),
                (f"{total:,} cells, {data_size(size)}, {data:,} with data", "$muted"),
            )
        )
    share = circuit.padding_share
    if share is not None:
        lines.append(
            Content.assemble(
                ("  dummies ", "$muted"),
                percent(share),
                ("  cells that carry nothing, to hide the others", "$muted"),
            )
        )
    return lines
