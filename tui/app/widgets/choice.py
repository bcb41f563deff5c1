"""A field of a form that takes one of a few words: all are seen, the arrows choose.

Its value is a text like that of any field, so a form reads both alike.
"""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widgets import Input

NOTHING = "the node's setting"
"""What stands for an empty value."""


class Choice(Input):
    """← → and Space go through the words, a letter goes to the word that begins with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Before", show=False),
        Binding("right", "step(1)", "Next", show=False),
    ]

    def __init__(self, value: str, choices: tuple[str, ...]) -> None:
        super().__init__(value if value in choices else choices[0], compact=True)
        self.choices = choices
        self._typed = ""

    def action_step(self, step: int) -> None:
        self._typed = ""
        place = self.choices.index(self.value) if self.value in self.choices else -step
        self.value = self.choices[(place + step) % len(self.choices)]

    def replace(self, text: str, start: int, end: int) -> None:
        """Typing and pasting land here: the word that begins so, or none."""
        del start, end
        if text == " ":
            self.action_step(1)
            return
        for wanted in (self._typed + text.lower(), text.lower()):
            found = next((c for c in self.choices if wanted and c.startswith(wanted)), None)
            if found is not None:
                self._typed, self.value = wanted, found
                return
        self._typed = ""

    def on_blur(self) -> None:
        self._typed = ""

    async def _on_mouse_down(self, event: events.MouseDown) -> None:
        """A click takes the word under it, or the next one where not all are seen."""
        event.prevent_default()
        self.focus()
        x = event.get_content_offset_capture(self).x
        for choice, (start, end) in self._places().items():
            if start <= x < end:
                self.value = choice
                return
        if not self._places():
            self.action_step(1)

    # -- drawing

    def _places(self) -> dict[str, tuple[int, int]]:
        """Where each word stands; nothing when there is no room for all."""
        places, column = {}, 0
        for choice in self.choices:
            width = len(choice or NOTHING) + 2
            places[choice] = (column, column + width)
            column += width + 1
        return places if column - 1 <= self.scrollable_content_region.width else {}

    def line(self, strong: Style, weak: Style) -> Text:
        """The words, the chosen one between marks."""
        shown = Text(end="")
        for choice in self._places() or (self.value,):
            chosen = choice == self.value
            words = choice or NOTHING
            shown.append(f"‹{words}›" if chosen else f" {words} ", strong if chosen else weak)
            shown.append(" ")
        return shown

    def render_line(self, y: int) -> Strip:
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        base = self.rich_style
        cursor = self.get_component_rich_style("input--cursor")
        weak = self.get_component_rich_style("input--placeholder")
        line = self.line(cursor if self.has_focus else Style(bold=True), weak)
        strip = Strip(line.render(self.app.console), line.cell_len)
        width = self.scrollable_content_region.width
        return strip.apply_style(base).extend_cell_length(width, base).crop(0, width)
