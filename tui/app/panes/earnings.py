"""The earnings pane: what a ghost earned and when, how it runs, and the relay beside it.

What can be done with it stands in `ghost_deeds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Digits, Static

from tui.app.earnings import EarningsView, Period
from tui.app.panes import earnings_rows
from tui.app.panes.base import Pane, style_sheet
from tui.app.panes.ghost_deeds import GhostDeeds
from tui.app.plot import columns
from tui.app.text import in_sat, moment, msat, number, plural
from tui.app.widgets.lines import LineList

if TYPE_CHECKING:
    from tui.app.action import Action
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
PLOT_ROWS = 3
WIDE = 100  # columns from which there is room for more beside a number


class EarningsPane(GhostDeeds, Pane):
    group = "earnings"
    DEFAULT_CSS = style_sheet("tables", "earnings")

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._seen: object = None
        self.by_day = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="not-a-ghost", can_focus=True):
            yield Static(Content.assemble(*NOT_A_GHOST))
            yield Static(id="only-relay")
        with Vertical(id="ghost"):
            yield Static(id="earnings-label")
            with Horizontal(id="earnings-top"):
                with Vertical(id="earnings-total"):
                    yield Digits("0")
                    yield Static(id="earnings-periods")
                with Vertical(id="earnings-trend"):
                    yield Static(id="earnings-plot")
                    yield Static(id="earnings-counts")
            with Vertical(id="earnings-body"):
                yield LineList(self.peer.look, id="earnings-answers")
                yield LineList(self.peer.look, id="earnings-operation")

    def on_mount(self) -> None:
        self.explanation = self.query_one("#not-a-ghost")
        self.ghost = self.query_one("#ghost")
        self.ghost.display = False
        self.explanation.display = False
        self.label = self.query_one("#earnings-label", Static)
        self.digits = self.query_one(Digits)
        self.periods = self.query_one("#earnings-periods", Static)
        self.counts = self.query_one("#earnings-counts", Static)
        self.plot = self.query_one("#earnings-plot", Static)
        self.only_relay = self.query_one("#only-relay", Static)
        self.answers = self.query_one("#earnings-answers", LineList)
        self.operation = self.query_one("#earnings-operation", LineList)
        self.answers.border_title = "By model, and the latest answers"
        self.operation.border_title = "How it runs"

    def focus_first(self) -> None:
        (self.answers if self.ghost.display else self.explanation).focus()

    def hinted(self) -> list[Action]:
        """Nothing to operate where there is no ghost."""
        return super().hinted() if self.model.earnings.enabled else []

    def paint(self) -> None:
        view = self.model.earnings
        room = (self.size, self.plot.size, self.operation.size)
        fresh = (view.revision, room, self.by_day, self.peer.theme_file.name)
        if fresh == self._seen:
            return
        self._seen = fresh
        if not view.known:
            return
        switched = self.ghost.display != view.enabled or not (
            self.ghost.display or self.explanation.display
        )
        self.ghost.display = view.enabled
        self.explanation.display = not view.enabled
        if view.enabled:
            self._paint_top(view)
            self._paint_plot(view)
            self._paint_lists(view)
        else:
            self._paint_relay(view)
        if switched and self.peer.front == self.group:
            self.call_after_refresh(self.focus_first)

    def _paint_top(self, view: EarningsView) -> None:
        framed = self.peer.profile.framed
        total = in_sat(view.total_msat)
        whose = (
            "The demo's ghost, a process of its own on this machine, earned in all (sat):"
            if self.model.earnings_from_demo_ghost
            else "This node, as a ghost, earned in all (sat):"
        )
        state = ("‖ paused  ", "bold $warning") if view.ghost.paused else ("", "")
        amount = "" if framed else f" {total}"
        self.label.update(Content.assemble(state, (whose, "$muted"), amount))
        self.digits.display = framed
        self.digits.update(total)
        tone = "$warning" if view.margin_msat < 0 else "$success"
        self.periods.update(
            Content.assemble(
                *(("today ", "$muted"), msat(view.today_msat)),
                *(("\nseven days ", "$muted"), msat(view.week_msat)),
                *(("\nmargin ", "$muted"), (msat(view.margin_msat), tone)),
                (f"  provider {msat(view.cost_msat)}" if self.size.width >= WIDE else "", "$muted"),
            )
        )
        refused_tone = "$warning" if view.refused else ""
        self.counts.update(
            Content.assemble(
                plural(view.answers, "answer"),
                (f"   {view.refused:,} refused", refused_tone),
                f"   {number(view.tokens_out)} tokens\n",
                plural(view.sessions_open, "open session"),
                (f", {msat(view.credit_msat)} of credit not used yet", "$muted"),
            )
        )

    def _paint_plot(self, view: EarningsView) -> None:
        periods = view.days if self.by_day else view.hours
        words = Content.styled(_plot_words(periods, self.by_day), "$muted")
        if not self.peer.profile.framed:  # bars read badly aloud
            self.plot.update(words)
            return
        width = self.plot.size.width or 40
        bars = columns([one.msat for one in periods], width, PLOT_ROWS)
        shown = Content.styled("\n".join(bars), "$primary")
        self.plot.update(Content("\n").join([shown, words]))

    def _paint_lists(self, view: EarningsView) -> None:
        look, draw = self.peer.look, earnings_rows.draw
        self.answers.show(earnings_rows.answers(view), draw, look)
        width = self.operation.size.width or 70
        self.operation.show(earnings_rows.operation(view, width), draw, look)

    def _paint_relay(self, view: EarningsView) -> None:
        if view.relay is None:
            self.only_relay.update("")
            return
        lines = [f"{name:<11}{words}" for name, words in view.relay.lines]
        head = Content.styled("\nAs a relay this node passes traffic on, unpaid:", "bold")
        self.only_relay.update(Content("\n").join([head, *(Content(words) for words in lines)]))

    def do_ghost_period(self) -> None:
        self.by_day = not self.by_day


def _plot_words(periods: list[Period], by_day: bool) -> str:
    """What the bars are: their span, and the best of them."""
    span = f"last {len(periods)} {'days' if by_day else 'hours'}"
    best = max(periods, key=lambda one: one.msat, default=None)
    if best is None or not best.msat:
        return f"{span}: nothing"
    when = moment(best.ts, "%d %b" if by_day else "%H:%M")
    return f"{span}, most {msat(best.msat)} ({when})"
