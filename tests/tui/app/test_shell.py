"""Around the panes: locking, jumping, help for the focused thing, windows that are too small."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode
from tui.app.places import PLACES, place

pytestmark = pytest.mark.asyncio
SECRET = "a question nobody else should see"


async def _asked(screen: Screen, node: ScriptedNode) -> None:
    node.pause_s = 0.0
    await screen.connected()
    await screen.ask(SECRET)
    await screen.until(lambda: "cost 0.412 sat" in screen.seen(), "answered")


async def test_the_lock_hides_everything_until_the_passphrase(
    folder: Path, node: ScriptedNode
) -> None:
    async with open_screen(folder, (100, 30)) as screen:
        await _asked(screen, node)
        await screen.press("alt+l")
        await screen.dialog("LockScreen")
        assert "Locked" in screen.seen()
        assert SECRET not in screen.seen()
        assert "4,096" not in screen.seen()
        await screen.press("f3", "ctrl+p", "escape", "alt+j", "f1")
        screen.app.say(SECRET)
        await screen.pilot.pause(0.2)
        assert type(screen.app.screen).__name__ == "LockScreen"
        assert SECRET not in screen.seen()
        await screen.press(*"open", "enter")
        await screen.until(lambda: "does not open this store" in screen.seen(), "refused")
        assert screen.app.screen.query_one(Input).value == ""
        await screen.press(*"open", "space", *"sesame", "enter")
        await screen.until(lambda: "cost 0.412 sat" in screen.seen(), "open again")
        assert not screen.app.locked


async def test_a_store_opened_by_a_key_file_unlocks_by_enter(
    folder: Path, node: ScriptedNode
) -> None:
    node.state["lock"] = False
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("alt+l")
        await screen.dialog("LockScreen")
        await screen.until(lambda: "Enter unlocks" in screen.seen(), "said")
        await screen.press("enter")
        await screen.until(lambda: not screen.app.locked, "open")


async def test_it_locks_itself_after_a_rest(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        screen.app.prefer("lock_after_min", 5)
        screen.app._last_input -= 5 * 60 - 60
        screen.app._paint_slow()
        assert not screen.app.locked
        await screen.press("a")  # a key begins the rest anew
        screen.app._last_input -= 5 * 60 - 60
        screen.app._paint_slow()
        assert not screen.app.locked
        screen.app._last_input -= 61
        screen.app._paint_slow()
        assert screen.app.locked
        await screen.dialog("LockScreen")


async def test_a_letter_jumps_to_what_it_stands_on(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder, (120, 40)) as screen:
        await _asked(screen, node)
        assert screen.app.focused is screen.chat.prompt
        await screen.press("alt+j")
        await screen.dialog("JumpScreen")
        assert screen.app.screen.styles.background.a < 0.5, "what lies below must be seen"
        assert " a " in screen.seen()
        await screen.press("a")
        await screen.until(lambda: screen.app.focused is screen.chat.sessions, "the list")
        await screen.press("alt+j")
        await screen.dialog("JumpScreen")
        await screen.press("escape")
        await screen.until(lambda: not screen.app.screen.is_modal, "left")
        assert screen.app.focused is screen.chat.sessions


async def test_help_begins_with_the_thing_in_focus(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder, (100, 40)) as screen:
        await screen.connected()
        await screen.press("f1")
        await screen.until(lambda: "The question" in screen.seen(), "of the prompt")
        await screen.press("escape", "f3", "f1")
        await screen.until(lambda: "The list of circuits" in screen.seen(), "of the list")


async def test_the_innermost_known_place_counts() -> None:
    assert place(["nothing", "prompt", "chat-main"]) == PLACES["prompt"]
    assert place(["nothing"]) is None


async def test_a_window_that_is_too_small_says_so(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder, (80, 24)) as screen:
        await _asked(screen, node)
        await screen.pilot.resize_terminal(40, 10)
        await screen.until(lambda: "too small" in screen.seen(), "said")
        assert SECRET not in screen.seen()
        await screen.pilot.resize_terminal(80, 24)
        await screen.until(lambda: "cost 0.412 sat" in screen.seen(), "back")
