"""The mints pane: what is held where, how each mint is doing, and what moved.

What can be done with it stands in the modules beside this one, by topic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import DataTable, Static

from tui.app.look import Look
from tui.app.panes.base import Pane, style_sheet
from tui.app.panes.mints_ecash import EcashDeeds
from tui.app.panes.mints_lightning import LightningDeeds
from tui.app.panes.mints_upkeep import UpkeepDeeds
from tui.app.text import ellipsis, moment, money, took
from tui.app.wallet import SAT, HistoryLine, MintLine
from tui.app.widgets.lines import LineList

if TYPE_CHECKING:
    from tui.app.app import PeerApp

# From so many columns on there is room for what is held and how much fails.
WIDE = 100


class MintsPane(LightningDeeds, EcashDeeds, UpkeepDeeds, Pane):
    group = "mints"
    DEFAULT_CSS = style_sheet("tables", "mints")

    def __init__(self, app: PeerApp) -> None:
        super().__init__(app)
        self._seen: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="wallet-total")
        mints: DataTable[Content | str] = DataTable(id="mints", cursor_type="row")
        yield mints
        yield Static(id="mint-note")
        yield LineList(self.peer.look, id="history")

    def on_mount(self) -> None:
        self.total = self.query_one("#wallet-total", Static)
        self.mints = self.query_one("#mints", DataTable)
        self.history = self.query_one("#history", LineList)
        self.note = self.query_one("#mint-note", Static)

    def focus_first(self) -> None:
        self.mints.focus()

    def paint(self) -> None:
        wallet = self.model.wallet
        trouble = self.peer.link.troubles.get("wallet.balance")
        fresh = (wallet.revision, self.size, self.peer.theme_file.name, trouble)
        if fresh == self._seen or not self.size.width:
            return
        self._seen = fresh
        self._paint_total()
        self._paint_mints(wallet.mints)
        self._paint_history(wallet.history)
        self._paint_note()

    def _paint_total(self) -> None:
        wallet = self.model.wallet
        if not wallet.known:
            self.total.update(Content.styled("Reading the wallet …", "$muted"))
            return
        parts: list[str | tuple[str, str]] = [
            (f"{wallet.total_sat:,}", "bold $primary"),
            " sat ready",
        ]
        in_sat = [mint for mint in wallet.mints if mint.unit == SAT]
        for mint in wallet.mints:
            if mint.unit != SAT and mint.available_sat:
                parts.append(f"   {money(mint.available_sat, mint.unit)}")
        if reserved := sum(m.reserved_sat for m in in_sat):
            parts.append((f"   {reserved:,} reserved for payments", "$muted"))
        if resting := sum(m.resting_sat for m in in_sat):
            parts.append((f"   {resting:,} resting before first use", "$muted"))
        if held := sum(m.held_sat for m in in_sat):
            parts.append((f"   {held:,} held by a mint", "$warning"))
        self.total.update(Content.assemble(*parts))

    def _paint_mints(self, mints: list[MintLine]) -> None:
        wide = self.size.width >= WIDE
        name_width = max(18, min(60, self.size.width - (83 if wide else 59)))
        row = self.mints.cursor_row
        self.mints.clear(columns=True)
        for label, width in (
            ("mint", name_width),
            ("ready".rjust(13), 13),
            ("reserved", 8),
            ("resting", 7),
            *((("held".rjust(8), 8), ("failed".rjust(8), 8)) if wide else ()),
            ("health", 9),
            ("latency", 7),
        ):
            self.mints.add_column(label, width=width)
        for mint in mints:
            more = (f"{mint.held_sat:,}".rjust(8), f"{mint.failures_percent} %".rjust(8))
            self.mints.add_row(
                Content(ellipsis(mint.title, name_width)),
                Content(money(mint.available_sat, mint.unit).rjust(13)),
                f"{mint.reserved_sat:,}".rjust(8),
                f"{mint.resting_sat:,}".rjust(7),
                *(more if wide else ()),
                _health(mint),
                (took(mint.latency_ms) if mint.latency_ms is not None else "–").rjust(7),
                key=mint.url,
            )
        if mints:
            self.mints.move_cursor(row=min(row, len(mints) - 1), animate=False)

    def _paint_history(self, history: list[HistoryLine]) -> None:
        find = self.model.wallet.find
        title = f"What moved: “{ellipsis(find, 30)}”" if find else "What moved"
        self.history.border_title = Content(title)
        self.history.border_subtitle = f"{self.key_of('find_off')} shows all again" if find else ""
        empty = f"Nothing has “{find}” in its words." if find else "Nothing has moved yet."
        self.history.show(history, self._line, self.peer.look, empty=empty)

    def _line(self, item: HistoryLine, width: int, look: Look) -> Text:
        """When, how much, what and where, in columns that fit 80."""
        rest = max(20, width - 31)
        what, where = rest * 3 // 5, rest - rest * 3 // 5
        when = moment(item.ts, "%d %b %H:%M")
        text = Text(f"{when}  ", look.muted)
        tone = look.success if item.amount_sat > 0 else look.base
        text.append(money(item.amount_sat, item.unit, sign=True).rjust(15), tone)
        text.append("  " + ellipsis(item.detail or item.kind, what - 2).ljust(what), look.base)
        text.append(ellipsis(self.model.wallet.title(item.mint), where), look.muted)
        return text

    def _paint_note(self) -> None:
        trouble = self.peer.link.troubles.get("wallet.balance")
        wallet, mint = self.model.wallet, self.chosen()
        if trouble is not None:
            text = Content.styled(f"{trouble.message} {trouble.hint}", "$warning")
        elif not wallet.known:
            text = Content("")
        elif not wallet.mints:
            text = Content.assemble(
                "There is no mint yet. A mint issues the ecash you pay with; you trust it with the "
                "amount you hold there. ",
                (self.key_of("add_mint"), "bold $primary"),
                " adds one.",
            )
        elif wallet.total_sat == 0 and not any(
            m.available_sat + m.resting_sat for m in wallet.mints
        ):
            text = Content.assemble(
                "The wallet is empty, so no ghost can be paid. ",
                (self.key_of("fund"), "bold $primary"),
                " funds it over Lightning, ",
                (self.key_of("receive_token"), "bold $primary"),
                " takes a token.",
            )
        elif mint is not None and mint.last_error:
            text = Content.styled(f"{mint.title}: {mint.last_error}", "$warning")
        elif mint is not None and mint.warnings:
            text = Content.styled(f"{mint.title}: {mint.warnings[0]}", "$warning")
        else:
            text = Content.styled(mint.url if mint is not None else "", "$muted")
        self.note.update(text)

    def chosen(self) -> MintLine | None:
        """The mint that the cursor is on."""
        row = self.mints.cursor_row
        mints = self.model.wallet.mints
        return mints[row] if 0 <= row < len(mints) else None

    @on(DataTable.RowHighlighted, "#mints")
    def _other_mint(self) -> None:
        self._paint_note()

    @on(DataTable.RowSelected, "#mints")
    def _open_mint(self) -> None:
        self.peer.perform("mint_details")

    @on(LineList.Chosen, "#history")
    def _open_line(self, event: LineList.Chosen) -> None:
        self.show_line(self.model.wallet.history[event.index])

    @on(LineList.NearEnd)
    def _more(self) -> None:
        self.peer.act(self.controller.older_history())


def _health(mint: MintLine) -> Content:
    if mint.healthy is None:
        return Content.styled("unknown", "$muted")
    if not mint.healthy:
        return Content.styled("✗ failing", "$error")
    if mint.warnings:
        return Content.styled("! look", "$warning")
    return Content.styled("● well", "$success")
