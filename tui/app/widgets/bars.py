"""The one-line bars: tabs on top, the numbers and the key hints at the bottom, the banner.

Each is one Static whose text is made from the model; nothing here keeps state of its own.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui.app.actions import PANE_TITLES, PANES, Action, pretty_key
from tui.app.explain import Figure
from tui.app.text import ellipsis

WIDE = 110


class TabBar(Static):
    """Names of the panes with their keys; the one in front stands out also without colour."""

    def show(self, front: str, right: str) -> None:
        parts: list[Content] = [Content(" ")]
        for index, pane in enumerate(PANES):
            key = f"F{index + 2}"
            style = "bold $background on $primary" if pane == front else "$foreground"
            key_style = "$background on $primary" if pane == front else "$muted"
            click = f"@click=app.do('{pane}')"
            parts.append(Content.from_markup(f"[{key_style}][{click}] {key} [/][/]"))
            parts.append(Content.from_markup(f"[{style}][{click}]{PANE_TITLES[pane]} [/][/]"))
            parts.append(Content(" "))
        left = Content("").join(parts)
        room = self.size.width - left.cell_length - 1
        text = ellipsis(right, max(0, room - 1))
        gap = " " * max(0, room - len(text))
        self.update(Content.assemble(left, gap, (text, "$muted")))


class StatusBar(Static):
    """The always-visible numbers. F1 explains them."""

    def show(self, figures: list[Figure]) -> None:
        width = self.size.width
        wide = width >= WIDE
        room = width - 12
        parts: list[Content] = []
        used = 1
        for index, figure in enumerate(figures):
            value = ellipsis(figure.long if wide else figure.short, 36 if wide else 18)
            if index == 0:
                text = Content.styled(f" {value} ", f"bold $background on ${figure.tone}")
            else:
                text = Content.assemble(
                    ("  " if wide else " ", ""),
                    (f"{figure.label} ", "$muted"),
                    (value, f"${figure.tone}"),
                    (" ", ""),
                )
            if used + text.cell_length > room:
                continue
            used += text.cell_length
            parts.append(text)
        left = Content("").join([Content(" "), *parts])
        gap = " " * max(1, width - left.cell_length - 12)
        self.update(Content.assemble(left, gap, ("F1", "bold $primary"), (" explains", "$muted")))


class HintBar(Static):
    """The keys that matter where the focus is."""

    def show(self, actions: list[Action]) -> None:
        parts: list[Content] = [Content(" ")]
        used = 1
        for action in actions:
            key = pretty_key(action.keys[0])
            words = f"[bold $primary]{key}[/] [$muted]{action.hint}[/]"
            piece = Content.from_markup(f"[@click=app.do('{action.name}')]{words}[/]  ")
            if used + piece.cell_length > self.size.width:
                break
            used += piece.cell_length
            parts.append(piece)
        self.update(Content("").join(parts))


class Banner(Static):
    """Says that the link to the node is lost, as long as it is."""

    def show(self, text: str) -> None:
        self.display = bool(text)
        if text:
            self.update(Content.styled(text, "$background on $warning"))
