"""The numbers of the circuit pane in words: each with its value now and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.circuits import Circuit
from tui.app.text import percent, rate, took
from tui.app.traffic import TrafficSum
from tui.sizes import data_size

Explained = tuple[str, str, str]
"""Name, value now, meaning."""

CELL = "A cell is 2,048 bytes on the wire, whatever is in it, so nobody can tell cells apart."


def explained(circuit: Circuit | None) -> list[Explained]:
    """Every number of the pane. Pure."""
    there = circuit or Circuit("")
    return [
        (
            "round trip",
            _hop_times(there),
            "How long a message took there and back to each hop when it was added, through all "
            "hops before it and with that hop's arithmetic. It is measured once, at building: "
            "asking each hop later would tell the hops who asks. So the difference of two "
            "neighbours is a guess at one link, not a measurement.",
        ),
        (
            "network and country",
            _hop_places(there),
            "Of each hop's address, by the table that you set under [paths] asn_table. No two "
            "hops of a path may lie in one network. A country says where an address is "
            "announced, not where a machine stands.",
        ),
        (
            "why this path",
            there.why or "unknown",
            "How guard, middles and last hop were chosen. The last hop is chosen first, then the "
            "guard you keep, then middles by weight; no two of them may belong together.",
        ),
        (
            "▲/s ▼/s",
            f"{rate(there.up_rate)} and {rate(there.down_rate)}",
            f"Cells a second to your guard and back, just now. {CELL} In a run of a shaped "
            "circuit it is one a tick, whether words are on their way or not.",
        ),
        (
            "cells, bytes",
            f"{there.cells_up + there.cells_down:,} cells, "
            f"{data_size(there.bytes_up + there.bytes_down)}",
            "All cells of this circuit since it was begun, both ways, building included.",
        ),
        (
            "dummies",
            percent(there.padding_share),
            "The share of cells that carry nothing. They are the price of the shape: they stand "
            "where words might have been, so that their absence does not show.",
        ),
        (
            "there and back",
            took(there.rtt_ms),
            "How long the last hop took to answer when the circuit was built. An answer's first "
            "word waits for this and for up to one tick each way.",
        ),
        (
            "idle cells",
            "see the line of the links",
            "A link on which nothing went for some seconds sends a cell of its own, so that flow "
            "records of your provider do not show when you were active. 22 kB a minute each way "
            "while idle.",
        ),
    ]


def _hop_times(circuit: Circuit) -> str:
    known = [f"{h.role} {took(h.built_ms)}" for h in circuit.hops if h.built_ms is not None]
    return ", ".join(known) or "unknown"


def _hop_places(circuit: Circuit) -> str:
    return ", ".join(f"{h.role} {h.place}" for h in circuit.hops if h.place) or "no table is set"


class NumbersScreen(ModalScreen[None]):
    """Scrolls; any of the usual leaving keys closes it."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,e,enter", "leave", "Close", show=False)
    ]

    def __init__(
        self,
        circuit: Circuit | None,
        traffic: TrafficSum,
        numbers: Sequence[Explained] = (),
    ) -> None:
        super().__init__()
        self._numbers = numbers
        self._circuit, self._traffic = circuit, traffic

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-help") as dialog:
            dialog.border_title = "What these numbers mean"
            dialog.border_subtitle = "↑ ↓ PgUp PgDn scroll   Esc closes"
            with VerticalScroll(classes="dialog-body"):
                yield Static(self._text())

    def _text(self) -> Content:
        parts = [
            Content.assemble((f"{name}: ", "bold"), (f"{value}\n", "$accent"), f"{meaning}\n\n")
            for name, value, meaning in (
                *self._numbers,
                *explained(self._circuit),
            )
        ]
        parts.append(Content.styled("Since the node started\n", "bold"))
        parts += [Content(f"{words}\n") for words in self._traffic.lines]
        return Content("").join(parts)

    def action_leave(self) -> None:
        self.dismiss(None)
