"""The one-line bars: tabs on top, the numbers and the key hints at the bottom, the banner.

Each is one Static whose text is made from the model. They keep nothing but where things are, so
that a click finds its action.
"""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.app.action import PANE_TITLES, PANES, Action, pretty_key
from tui.app.explain import Figure
from tui.app.text import ellipsis

FAR = 10_000  # more columns than any window has
GAP = "  "  # between two hints
EXPLAINS = 4  # columns for the F1 at the right end


class ClickBar(Static):
    """A line with places that can be clicked."""

    class Chosen(Message):
        """The action with this name was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._places: list[tuple[int, int, str]] = []

    def on_click(self, event: events.Click) -> None:
        for start, end, name in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(name))


class TabBar(ClickBar):
    """Names of the panes with their keys; the one in front stands out also without colour."""

    def show(self, front: str, right: str) -> None:
        self._places = []
        line = Content(" ")
        for index, pane in enumerate(PANES):
            here = pane == front
            start = line.cell_length
            line = Content.assemble(
                line,
                (f" F{index + 2} ", "$background on $primary" if here else "$muted"),
                (f"{PANE_TITLES[pane]} ", "bold $background on $primary" if here else ""),
            )
            self._places.append((start, line.cell_length, pane))
            line += Content(" ")
        room = max(0, self.app.size.width - line.cell_length - 1)
        text = right if len(right) <= room else right[-1:]  # its mark alone: linked or not
        self.update(Content.assemble(line, " " * (room - len(text)), (text, "$muted")))


class StatusBar(ClickBar):
    """The always-visible numbers. F1 explains them."""

    def show(self, figures: list[Figure]) -> None:
        width = self.app.size.width
        self._places = [(0, width, "help")]
        line = _figures(figures, wide=True, columns=FAR)
        if line.cell_length > width - EXPLAINS:
            line = _figures(figures, wide=False, columns=width - EXPLAINS)
        key = "F1 explains" if line.cell_length + 13 <= width else "F1"
        gap = " " * max(1, width - line.cell_length - len(key) - 1)
        self.update(Content.assemble(line, gap, ("F1", "bold $primary"), (key[2:], "$muted")))


def _figures(figures: list[Figure], *, wide: bool, columns: int) -> Content:
    """The numbers in whole words, or short; what does not fit gives way, the last first."""
    line = Content(" ")
    for index, figure in enumerate(figures):
        value = figure.long if wide else figure.short
        label = f"{figure.name if wide else figure.label} ".lstrip()
        gap = "   " if wide else "  "
        room = columns - line.cell_length - (0 if index == 0 else len(label + gap))
        value = ellipsis(value, room if room > 2 else 0)
        if not value:
            continue
        if index == 0:
            line += Content.styled(f" {value} ", f"bold $background on ${figure.tone}")
        else:
            line = Content.assemble(line, gap, (label, "$muted"), (value, f"${figure.tone}"))
    return line


class HintBar(ClickBar):
    """The keys that matter where the focus is."""

    def show(self, actions: list[Action], kept: frozenset[str] = frozenset()) -> None:
        """As many as fit, in their order; those named in `kept` always have their room."""
        self._places = []
        line = Content(" ")
        for action in fitting(actions, kept, self.app.size.width - 1):
            start = line.cell_length
            line = Content.assemble(
                line, (_key_of(action), "bold $primary"), (f" {action.hint}", "$muted")
            )
            self._places.append((start, line.cell_length, action.name))
            line += Content(GAP)
        self.update(line)


def fitting(actions: list[Action], kept: frozenset[str], columns: int) -> list[Action]:
    """The hints that a line of so many columns has room for, its first one left free."""
    with_key = [action for action in actions if action.keys]
    room = columns - 1 - sum(_columns_of(a) + len(GAP) for a in with_key if a.name in kept)
    chosen = []
    for action in with_key:
        if action.name not in kept:
            if _columns_of(action) > room:
                continue
            room -= _columns_of(action) + len(GAP)
        chosen.append(action)
    return chosen


def _key_of(action: Action) -> str:
    return pretty_key(action.keys[0])


def _columns_of(action: Action) -> int:
    return cell_len(f"{_key_of(action)} {action.hint}")


class Banner(Static):
    """Says what is wrong, as long as it is (tui.app.alerts)."""

    def show(self, text: str) -> None:
        self.display = bool(text)
        if text:
            self.update(Content.styled(text, "$background on $warning"))
