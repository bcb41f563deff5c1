"""A long list in one line-API widget: only rows in view are drawn, whatever the length.

Rows are anything; whoever shows them says how one is drawn. A row is chosen with Enter or a click.
A head line, where there is one, stays on top while the rows scroll.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.app.look import Look
from tui.app.strips import over

T = TypeVar("T")
# Asks for more when so few rows are left below.
NEAR_END = 20


class LineList(ScrollView, can_focus=True):
    """`cursor` is the row that acts are about."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "edge(0)", "First", show=False),
        Binding("end", "edge(1)", "Last", show=False),
        Binding("enter", "choose", "Choose", show=False),
    ]

    class Chosen(Message):
        """Enter or a click on a row."""

        def __init__(self, widget: LineList, index: int) -> None:
            super().__init__()
            self.widget, self.index = widget, index

        @property
        def control(self) -> LineList:
            return self.widget

    class NearEnd(Message):
        """There may be more to read."""

    def __init__(self, look: Look, *, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._look = look
        self._empty = empty
        self._count = 0
        self._draw: Callable[[int, int], Text] = lambda _row, _width: Text()
        self._head: Callable[[int], Text] | None = None
        self._strips: dict[int, Strip] = {}
        self._width = 0
        self.cursor = 0
        self.lit = False  # the cursor shows as if this had the focus: keys reach it from elsewhere

    def show(
        self,
        rows: Sequence[T],
        draw: Callable[[T, int, Look], Text],
        look: Look,
        *,
        empty: str = "",
        head: Callable[[int], str] | None = None,
    ) -> None:
        """These rows from now on; `draw` makes one of them for a width, `head` the line on top."""
        self._look, self._empty = look, empty
        self._count = len(rows)
        self._head = None
        if head is not None and rows:
            words = head
            self._head = lambda width: Text(words(width), look.muted)
        self._draw = lambda row, width: draw(rows[row], width, look)
        self._strips.clear()
        self.cursor = max(0, min(self.cursor, self._count - 1))
        self._measure()
        self.refresh()

    @property
    def _top(self) -> int:
        """Lines above the first row."""
        return 0 if self._head is None else 1

    def _measure(self) -> None:
        self.virtual_size = Size(self.size.width, max(1, self._count + self._top))

    # -- moving ------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        self._go(self.cursor + step)

    def action_page(self, step: int) -> None:
        self._go(self.cursor + step * max(1, self.size.height - 1 - self._top))

    def action_edge(self, last: int) -> None:
        self._go(self._count - 1 if last else 0)

    def action_choose(self) -> None:
        if self._count:
            self.post_message(self.Chosen(self, self.cursor))

    def _go(self, row: int) -> None:
        row = max(0, min(row, self._count - 1))
        if row != self.cursor:
            old, self.cursor = self.cursor, row
            for changed in (old, row):
                self._strips.pop(changed, None)
            self.scroll_to_region(
                Region(0, row, self.size.width, 1 + self._top),
                animate=False,
                immediate=True,
                force=True,
            )
            self.refresh()
        if row >= self._count - NEAR_END:
            self.post_message(self.NearEnd())

    def on_click(self, event: events.Click) -> None:
        y = event.get_content_offset_capture(self).y
        row = self.scroll_offset.y + y - self._top
        if y >= self._top and row < self._count:
            self._go(row)
            self.action_choose()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value + self.size.height >= self._count - NEAR_END:
            self.post_message(self.NearEnd())

    def on_focus(self) -> None:
        self._strips.pop(self.cursor, None)
        self.refresh()

    def on_blur(self) -> None:
        self._strips.pop(self.cursor, None)
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        del event
        self._strips.clear()
        self._measure()

    # -- drawing -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        row = self.scroll_offset.y + y - self._top
        width = self.scrollable_content_region.width
        if width != self._width:
            self._width = width
            self._strips.clear()
        if y == 0 and self._head is not None:
            return self._strip(self._head(width), width, self._look.base)
        if row >= self._count:
            words = self._empty if not self._count and not row else ""
            return self._strip(Text(words, self._look.muted), width, self._look.base)
        strip = self._strips.get(row)
        if strip is None:
            strip = self._strip(self._draw(row, width), width, self._look.base)
            if row == self.cursor:
                lit = self.has_focus or self.lit
                panel = self._look.colours["panel" if lit else "surface"]
                strip = over(strip, Style(bgcolor=panel, bold=lit))
            self._strips[row] = strip
        return strip

    def _strip(self, text: Text, width: int, base: Style) -> Strip:
        text.style = base + Style.parse(text.style) if isinstance(text.style, str) else text.style
        text.truncate(width, overflow="ellipsis")
        strip = Strip(text.render(self.app.console), text.cell_len)
        return strip.apply_style(base).extend_cell_length(width, base).crop(0, width)
