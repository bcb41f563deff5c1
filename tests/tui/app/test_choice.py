"""A field of a few words: arrows, letters, clicks; nothing else can stand in it."""

from __future__ import annotations

import pytest
from rich.style import Style
from textual.app import App, ComposeResult

from tui.app.widgets.choice import NOTHING, Choice

WORDS = ("", "ask", "always", "never")


class Small(App[None]):
    def __init__(self, choice: Choice) -> None:
        super().__init__()
        self.choice = choice

    def compose(self) -> ComposeResult:
        yield self.choice


@pytest.mark.asyncio
async def test_keys_and_clicks_choose_one_of_the_words() -> None:
    choice = Choice("unheard of", WORDS)
    async with Small(choice).run_test(size=(60, 5)) as pilot:
        choice.focus()
        await pilot.pause()
        seen = []
        for key in ("right", "space", "left", "n", "x", *"alw", "backspace", "left", "left"):
            await pilot.press(key)
            seen.append(choice.value)
        assert seen == [
            *("ask", "always", "ask", "never", "never", "ask", "always", "always", "always"),
            *("ask", ""),
        ]
        assert choice.line(Style(), Style()).plain == f"‹{NOTHING}›  ask   always   never  "
        where = choice.line(Style(), Style()).plain.index("never")
        margin = choice.content_region.x - choice.region.x
        await pilot.click(choice, offset=(margin + where, 0))
        assert choice.value == "never"
        await pilot.resize_terminal(20, 5)
        await pilot.pause()
        assert choice.line(Style(), Style()).plain == "‹never› "
        await pilot.click(choice, offset=(margin + 2, 0))
        assert choice.value == ""
