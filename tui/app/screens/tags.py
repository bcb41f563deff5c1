"""The programs that ask through the local API, and who of them is kept apart from whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.app.jsonish import records, whole
from tui.app.look import Look
from tui.app.tags import TagLine
from tui.app.text import age, ellipsis, msat, plural
from tui.app.widgets.lines import LineList

if TYPE_CHECKING:
    from tui.app.app import PeerApp

READ_S = 2.0


class TagsScreen(ModalScreen[None]):
    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", show=False),
        Binding("l", "let_go", "Let go", show=False),
    ]

    def __init__(self, app: PeerApp) -> None:
        super().__init__()
        self.peer = app
        self.tags: list[TagLine] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog dialog-list") as dialog:
            dialog.border_title = "Programs that are kept apart"
            yield Static(
                "Two lines never share a circuit, and no ghost sees two of them. Letting go of one "
                "leaves its sessions; then another may meet its ghost.",
                classes="dialog-intro",
                markup=False,
            )
            yield LineList(self.peer.look, empty="Reading …", id="tags")
            yield Static(
                Content.from_markup(
                    "[bold $primary]l[/] [$muted]let go[/]  [bold $primary]Esc[/] [$muted]close[/]"
                )
            )

    def on_mount(self) -> None:
        self.query_one(LineList).focus()
        self.peer.act(self._read())
        self.set_interval(READ_S, lambda: self.peer.act(self._read()))

    async def _read(self) -> None:
        found = records(await self.peer.link.call("api.tags"))
        if self.is_mounted:
            self.tags = [TagLine.of(item) for item in found]
            empty = "No program has asked anything: peer2prompt api start"
            self.query_one(LineList).show(self.tags, tag_line, self.peer.look, empty=empty)

    def action_let_go(self) -> None:
        row = self.query_one(LineList).cursor
        if 0 <= row < len(self.tags):
            self.peer.act(self._let_go(self.tags[row]))

    async def _let_go(self, tag: TagLine) -> None:
        found = await self.peer.link.call("api.release", tag=tag.tag)
        done = whole(found, "released") if isinstance(found, dict) else 0
        self.peer.say("Its sessions were left." if done else "It is at work: wait for its answer.")
        await self._read()

    def action_leave(self) -> None:
        self.dismiss(None)


def tag_line(tag: TagLine, width: int, look: Look) -> Text:
    """Who asks for what, then the ghosts, what was asked and spent, and how long it rests."""
    now = f"{tag.under_way} under way" if tag.under_way else f"rests {age(tag.idle_s)}"
    end = f"{tag.asked:>5} asked {msat(tag.spent_msat):>12}  {now}"
    room = max(0, width - len(end) - 2)
    wide = max(18, room // 2)
    text = Text(ellipsis(tag.who, wide - 2).ljust(wide), look.strong)
    ghosts = " ".join(tag.ghosts) or "no ghost"
    place = f"{ghosts}, {plural(tag.circuits, 'circuit')}" if tag.circuits else ghosts
    text.append(ellipsis(place, max(0, room - wide)).ljust(max(0, room - wide)), look.base)
    text.append(f"  {end}", look.warning if tag.under_way else look.muted)
    return text
