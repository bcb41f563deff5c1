"""The earnings pane: what a ghost earned, by model and over time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Digits, Sparkline, Static

from tui.app.model import EarningsView
from tui.app.panes.base import Pane, style_sheet
from tui.app.text import ellipsis, msat, number, plural

if TYPE_CHECKING:
    from tui.app.app import PeerApp

NOT_A_GHOST = (
    ("This node only asks; it does not earn.", "bold"),
    (
        "\n\nA ghost answers strangers' questions with a model it has access to, and is paid in "
        "ecash, chunk by chunk. It reads the questions, but does not learn who asks.\n\n"
        "To make this node one, run this in a terminal and start the node again:\n\n",
        "",
    ),
    (
        "  peer2prompt ghost setup\n\n",
        "$secondary",
    ),
    (
        "Read your provider's terms first: you answer for what is asked through your account.",
        "$muted",
    ),
)


class EarningsPane(Pane):
    group = "earnings"
    DEFAULT_CSS = style_sheet("tables", "earnings")

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._seen: object = None

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="not-a-ghost", can_focus=True):
            yield Static(Content.assemble(*NOT_A_GHOST))
        with Vertical(id="ghost"):
            yield Static(id="earnings-label")
            with Horizontal(id="earnings-top"):
                with Vertical(id="earnings-total"):
                    yield Digits("0")
                    yield Static(id="earnings-periods")
                with Vertical(id="earnings-trend"):
                    yield Sparkline([], id="earnings-spark")
                    yield Static(id="earnings-counts")
            models: DataTable[Content | str] = DataTable(id="earnings-models", cursor_type="row")
            yield models
            recent: DataTable[Content | str] = DataTable(id="earnings-recent", cursor_type="row")
            yield recent

    def on_mount(self) -> None:
        self.explanation = self.query_one("#not-a-ghost")
        self.ghost = self.query_one("#ghost")
        self.ghost.display = False
        self.explanation.display = False
        self.models = self.query_one("#earnings-models", DataTable)
        self.recent = self.query_one("#earnings-recent", DataTable)
        self.models.border_title = "By model"
        self.recent.border_title = "Latest answers"

    def focus_first(self) -> None:
        (self.recent if self.ghost.display else self.explanation).focus()

    def paint(self) -> None:
        earnings = self.model.earnings
        fresh = (earnings.revision, self.size.width)
        if fresh == self._seen:
            return
        self._seen = fresh
        if not earnings.known:
            return
        switched = self.ghost.display != earnings.enabled or not (
            self.ghost.display or self.explanation.display
        )
        self.ghost.display = earnings.enabled
        self.explanation.display = not earnings.enabled
        if earnings.enabled:
            self._paint_top(earnings)
            self._paint_models(earnings)
            self._paint_recent(earnings)
        if switched and self.peer.front == self.group:
            self.call_after_refresh(self.focus_first)

    def _paint_top(self, earnings: EarningsView) -> None:
        whose = (
            "The demo's ghost, a process of its own on this machine, earned in all (sat):"
            if self.model.earnings_from_demo_ghost
            else "This node, as a ghost, earned in all (sat):"
        )
        self.query_one("#earnings-label", Static).update(Content.styled(whose, "$muted"))
        self.query_one(Digits).update(msat(earnings.total_msat).removesuffix(" sat"))
        self.query_one("#earnings-periods", Static).update(
            Content.assemble(
                ("today ", "$muted"),
                msat(earnings.today_msat),
                ("\nseven days ", "$muted"),
                msat(earnings.week_msat),
            )
        )
        self.query_one(Sparkline).data = earnings.series or [0.0]
        refused_tone = "$warning" if earnings.refused else ""
        self.query_one("#earnings-counts", Static).update(
            Content.assemble(
                plural(earnings.answers, "answer"),
                (f"   {earnings.refused:,} refused", refused_tone),
                f"\n{number(earnings.tokens_out)} tokens, ",
                plural(earnings.sessions_open, "open session"),
                (f"\n{msat(earnings.credit_msat)} of credit not used yet", "$muted"),
            )
        )

    def _paint_models(self, earnings: EarningsView) -> None:
        width = max(20, self.size.width - 44)
        self.models.clear(columns=True)
        for label, size in (("model", width), ("answers".rjust(9), 9), ("earned".rjust(14), 14)):
            self.models.add_column(label, width=size)
        for name, answers, earned in earnings.models:
            self.models.add_row(
                ellipsis(name, width), f"{answers:,}".rjust(9), msat(earned).rjust(14)
            )

    def _paint_recent(self, earnings: EarningsView) -> None:
        width = max(16, self.size.width - 56)
        self.recent.clear(columns=True)
        for label, size in (
            ("when", 8),
            ("model", width),
            ("tokens in", 9),
            ("out".rjust(7), 7),
            ("earned".rjust(12), 12),
        ):
            self.recent.add_column(label, width=size)
        for ts, name, tokens_in, tokens_out, cost in earnings.recent:
            self.recent.add_row(
                time.strftime("%H:%M:%S", time.localtime(ts)),
                ellipsis(name, width),
                f"{tokens_in:,}".rjust(9),
                f"{tokens_out:,}".rjust(7),
                msat(cost).rjust(12),
            )
