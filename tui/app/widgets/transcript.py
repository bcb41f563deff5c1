"""The conversation in one line-API widget: cached strips, only what is new is rendered.

One widget whatever the length of the conversation, because Textual's cost grows with the number
of widgets. It is painted from a timer of its pane, never from events.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from itertools import accumulate
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message as TextualMessage
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tui.app.conversation import Conversation
from tui.app.look import Look
from tui.app.message import Message
from tui.app.render import MessageLines, Renderer, first_difference
from tui.app.strips import over

SCROLL_STEP = 8  # rows the view moves at once while an answer streams: a third of the bytes
BUDGET_S = 0.03  # rendering of old messages per paint
EAGER = 12  # newest messages that are rendered at once


class Transcript(ScrollView, can_focus=True):
    """Shows one conversation. While it has the focus one message is selected, for acts on it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "Message before", show=False),
        Binding("down", "step(1)", "Message after", show=False),
        Binding("left", "beside(-1)", "Version before", show=False),
        Binding("right", "beside(1)", "Version after", show=False),
    ]

    class Beside(TextualMessage):
        """The user wants another version of the selected message."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class TopReached(TextualMessage):
        """The oldest loaded message is on screen."""

    def __init__(self, look: Look, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look = look
        self._renderer: Renderer | None = None
        self._conversation: Conversation | None = None
        self._lines: list[MessageLines] = []
        self._pending: list[Message] = []  # older messages not yet rendered, oldest first
        self._ends: list[int] = []
        self._notice: list[tuple[str, str]] = []
        self._notice_strips: list[Strip] = []
        self._not_before = 0.0
        self._seen = (-1, 0)
        self._placed_height = 0
        self._placing = False
        self._selected: int | None = None  # uid of a message
        self._wanted: int | None = None  # uid of a message to be shown as soon as it is drawn
        self.following = True  # stay at the end as the text grows, until the user scrolls up

    # -- painting ----------------------------------------------------------------------------

    def set_look(self, look: Look) -> None:
        self._look = look
        self._forget()

    def paint(self, conversation: Conversation, notice: list[tuple[str, str]]) -> None:
        """Bring the view up to date. Cheap when nothing changed."""
        if self.size.width <= 0:
            return
        if conversation is not self._conversation:
            self._conversation = conversation
            self._forget()
            self._selected = self._wanted = None
            self.following = True
        if self._renderer is None or self._renderer.width != self.size.width:
            self._forget()
            self._renderer = Renderer(self.size.width, self._look)
        if not conversation.messages:
            self._paint_notice(notice)
            return
        now = time.monotonic()
        seen = (conversation.revision, self.size.height)
        if (seen == self._seen and not self._pending) or now < self._not_before:
            return
        self._seen = seen
        self._update(conversation, self._renderer)
        spent = time.monotonic() - now
        self._not_before = now + 4 * spent if spent > BUDGET_S else 0.0

    def lines_below(self) -> int:
        """How many rows lie below the view."""
        return max(0, self._height() - self.scroll_offset.y - self.size.height)

    def go_to_end(self) -> None:
        self.following = True
        self._selected = self._wanted = None
        self._place(streaming=False)

    # -- the selected message ----------------------------------------------------------------

    def selected(self) -> Message | None:
        """The message that acts are about; None when nobody chose one."""
        found = (lines.message for lines in self._lines if lines.message.uid == self._selected)
        return next(found, None)

    def select(self, message: Message) -> None:
        """Choose a message and bring it into view, now or as soon as it is drawn."""
        self._selected = self._wanted = message.uid
        self._show_wanted()
        self.refresh()

    def action_step(self, step: int) -> None:
        place = next(
            (i for i, lines in enumerate(self._lines) if lines.message.uid == self._selected),
            len(self._lines) if step < 0 else len(self._lines) - 1,
        )
        if not 0 <= place + step < len(self._lines):
            if step < 0:
                self.scroll_to(y=0, animate=False, immediate=True)
                self.post_message(self.TopReached())
            else:
                self.scroll_end(animate=False, immediate=True)
            return
        self.select(self._lines[place + step].message)

    def action_beside(self, step: int) -> None:
        self.post_message(self.Beside(step))

    def on_focus(self) -> None:
        messages = self._conversation.messages if self._conversation is not None else []
        if messages and all(message.uid != self._selected for message in messages):
            self._selected = messages[-1].uid
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def _show_wanted(self) -> None:
        """Scroll so that the wanted message is seen whole, or from its first line."""
        rows = self._rows_of(self._wanted)
        if rows is None:
            return
        self._wanted = None
        top, view = self.scroll_offset.y, self.size.height
        if rows.start < top or len(rows) > view:
            target = rows.start
        elif rows.stop > top + view:
            target = rows.stop - view
        else:
            return
        self.scroll_to(y=target, animate=False, force=True, immediate=True)

    def _rows_of(self, uid: int | None) -> range | None:
        for place, lines in enumerate(self._lines[: len(self._ends)]):
            if lines.message.uid == uid:
                return range(self._ends[place - 1] if place else 0, self._ends[place])
        return None

    # -- inside ------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._renderer = None
        self._lines, self._pending, self._ends = [], [], []
        self._notice, self._notice_strips = [], []
        self._seen = (-1, 0)
        self._placed_height = 0
        self._not_before = 0.0

    def _paint_notice(self, notice: list[tuple[str, str]]) -> None:
        if notice == self._notice or self._renderer is None:
            return
        self._notice = notice
        self._notice_strips = [self._renderer.blank(), *self._renderer.notice(notice)]
        self._lines, self._ends = [], []
        self.virtual_size = Size(self.size.width, len(self._notice_strips))
        self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.refresh()

    def _update(self, conversation: Conversation, renderer: Renderer) -> None:
        before = self._visible()
        self._notice, self._notice_strips = [], []
        self._reconcile(conversation)
        changed = False
        for lines in self._lines:
            changed |= lines.update(renderer, "…")
        added_above = self._render_pending(renderer)
        resized = self._placed_height != self.size.height
        if not (changed or added_above or resized):
            return
        self._placed_height = self.size.height
        self._ends = list(accumulate(len(lines.strips) for lines in self._lines))
        live = conversation.live is not None
        self._place(streaming=live, added_above=added_above)
        if self._wanted is not None:
            self._show_wanted()
        if resized:
            self.refresh()
        else:
            self._repaint(*before)

    def _visible(self) -> tuple[int, list[Strip | None]]:
        """The first row in view, and the rows that are shown."""
        top = self.scroll_offset.y
        return top, [self._row(row) for row in range(top, top + self.size.height)]

    def _repaint(self, old_top: int, old: list[Strip | None]) -> None:
        """Have only those parts of rows painted that differ: a streamed word costs its own bytes,
        not a screen full of text."""
        top, new = self._visible()
        if top != old_top or self.text_selection is not None:
            self.refresh()
            return
        width = self.size.width
        parts = [
            Region(start, y, width - start, 1)
            for y, (was, now) in enumerate(zip(old, new, strict=True))
            if was is not now and (start := first_difference(was, now)) < width
        ]
        if parts:
            self.refresh(*parts)

    def _reconcile(self, conversation: Conversation) -> None:
        """Line cached messages up with the conversation's; older ones wait to be rendered."""
        known = {lines.message.uid: lines for lines in self._lines}
        messages = conversation.messages
        if not self._lines:
            self._pending = messages[:-EAGER]
            self._lines = [MessageLines(message) for message in messages[-EAGER:]]
            return
        first = next((i for i, m in enumerate(messages) if m.uid in known), None)
        if first is None:
            self._lines = []
            self._reconcile(conversation)
            return
        self._pending = messages[:first]
        self._lines = [known.get(m.uid) or MessageLines(m) for m in messages[first:]]

    def _render_pending(self, renderer: Renderer) -> int:
        """Render older messages, newest first, as far as the budget goes; rows that were added."""
        added = 0
        until = time.monotonic() + BUDGET_S
        while self._pending and time.monotonic() < until:
            lines = MessageLines(self._pending.pop())
            lines.update(renderer)
            self._lines.insert(0, lines)
            added += len(lines.strips)
        return added

    def _height(self) -> int:
        return self._ends[-1] if self._ends else len(self._notice_strips)

    def _place(self, *, streaming: bool, added_above: int = 0) -> None:
        height, view = self._height(), self.size.height
        if streaming and height > view:
            overflow = height - view
            height = view + -(-overflow // SCROLL_STEP) * SCROLL_STEP
        self.virtual_size = Size(self.size.width, max(height, view))
        if self.following:
            target = max(0, height - view)
        elif added_above:
            target = self.scroll_offset.y + added_above
        else:
            return
        if target != self.scroll_offset.y:
            self._placing = True
            self.scroll_to(y=target, animate=False, force=True, immediate=True)
            self._placing = False

    # -- Textual -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        row = self.scroll_offset.y + y
        strip = self._row(row)
        if strip is None:
            return Strip.blank(self.size.width, self._look.base)
        if self.has_focus and self._is_selected(row):
            strip = self._marked(strip, row)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(row)) is not None:
            strip = _highlight(strip, *span, self._selection_style())
        return strip.crop_extend(0, self.size.width, self._look.base).apply_offsets(0, row)

    def _is_selected(self, row: int) -> bool:
        index = bisect_right(self._ends, row)
        return index < len(self._lines) and self._lines[index].message.uid == self._selected

    def _marked(self, strip: Strip, row: int) -> Strip:
        """A row of the selected message; its head bears a mark, for who sees no colours."""
        if row == 0 or not self._is_selected(row - 1):
            head = strip.crop(0, self.size.width - 2)
            strip = Strip.join([head, Strip([Segment(" ‹", self._look.user)])])
        return over(strip, Style(bgcolor=self._look.colours["surface"]))

    def _row(self, row: int) -> Strip | None:
        if self._notice_strips:
            return self._notice_strips[row] if row < len(self._notice_strips) else None
        index = bisect_right(self._ends, row)
        if index >= len(self._lines):
            return None
        start = self._ends[index - 1] if index else 0
        return self._lines[index].strips[row - start]

    def _selection_style(self) -> Style:
        return self.screen.get_component_rich_style("screen--selection")

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        strips = self._notice_strips or [s for lines in self._lines for s in lines.strips]
        return selection.extract("\n".join(s.text.rstrip() for s in strips)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        del selection
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._placing:
            self.following = new_value >= self.max_scroll_y
        if new_value < old_value and new_value <= 1 and self._ends:
            self.post_message(self.TopReached())

    def on_resize(self, event: events.Resize) -> None:
        del event
        if self._conversation is not None:
            self.paint(self._conversation, self._notice)


def _highlight(strip: Strip, start: int, end: int, style: Style) -> Strip:
    width = strip.cell_length
    end = width if end == -1 else min(end, width)
    if start >= end:
        return strip
    before, inside, after = strip.divide([start, end, width])
    return Strip.join([before, over(inside, style), after])
