"""The box a question is typed in: Enter sends, Ctrl+J breaks the line."""

from __future__ import annotations

from pathlib import Path

from textual import events
from textual.message import Message
from textual.widgets import TextArea

NEWLINE_KEYS = ("ctrl+j", "alt+enter", "shift+enter")
MAX_CHARS = 400_000  # a prompt of this size already fills 200 cells


class Prompt(TextArea):
    """A text area that knows when the question is finished."""

    class Submitted(Message):
        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Scroll(Message):
        """The user wants to scroll the conversation without leaving the box."""

        def __init__(self, pages: int) -> None:
            super().__init__()
            self.pages = pages

    class Recall(Message):
        """Up in an empty box: the last question again."""

    class PathPasted(Message):
        """A path of a file was pasted."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            compact=True,
            placeholder="Ask something. The ghost reads it, but not who asked.",
        )
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        key = event.key
        if key == "enter":
            self._take(event)
            self.post_message(self.Submitted(self.text))
        elif key in NEWLINE_KEYS:
            self._take(event)
            self.insert("\n")
            self.scroll_cursor_visible()
        elif key in ("pageup", "pagedown"):
            self._take(event)
            self.post_message(self.Scroll(-1 if key == "pageup" else 1))
        elif key == "up" and not self.text:
            self._take(event)
            self.post_message(self.Recall())
        else:
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        from tui.app.files import pasted_path

        if (path := pasted_path(event.text)) is not None:  # else the text area pastes it
            event.stop()
            event.prevent_default()
            self.post_message(self.PathPasted(path))

    @staticmethod
    def _take(event: events.Key) -> None:
        event.stop()
        event.prevent_default()

    def put(self, text: str) -> None:
        """Replace the text and stand at its end."""
        self.load_text(text[:MAX_CHARS])
        self.move_cursor(self.document.end)
