"""Words of others on every pane: nothing in them is markup, and nothing drives the terminal.

A model's name, a mint's name, a chat's title: whoever chose them may have chosen `[/red]`, a link
that acts on a click, or bytes that a terminal obeys.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode, ghost_earnings
from tui.app.action import PANES

MARKUP = "[/x][@click=app.quit]go[/] "
OBEYED = "\x1b]0;a\x07\x1b[2J\x9b31m\u202e\u2066\x00"
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FIXED = frozenset({"session_id", "circuit_id", "message_id", "state", "role", "shape", "purpose"})
"""What the node itself chooses, from a few words."""


def hostile(value: Any, key: str = "") -> Any:
    """The same answer with words that somebody else chose."""
    if isinstance(value, dict):
        return {name: hostile(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, key) for inner in value]
    return MARKUP + OBEYED + value if isinstance(value, str) and key not in FIXED else value


def check(screen: Screen, where: str) -> None:
    for line in screen.seen().split("\n"):
        assert not UNSAFE.search(line), f"{where}: {line!r}"


@pytest.fixture
def bad_node(node: ScriptedNode) -> ScriptedNode:
    node.state["earnings"] = ghost_earnings()
    shown = hostile(copy.deepcopy(node.state))
    shown["messages"] = {s: hostile(m) for s, m in node.state["messages"].items()}
    node.state.update(shown)
    return node


@pytest.mark.asyncio
async def test_the_words_of_others_are_only_words(folder: Path, bad_node: ScriptedNode) -> None:
    assert bad_node.state["models"][0]["model"].startswith(MARKUP)
    async with open_screen(folder, (160, 48)) as screen:
        await screen.connected()
        for place in range(len(PANES)):
            await screen.press(f"f{place + 2}")
            await screen.pilot.pause()
            check(screen, PANES[place])
        await screen.press("f4")
        await screen.until(lambda: screen.seen().count("[/x]") > 1, "the mints and what moved")
        check(screen, "mints")
        await screen.press("f6")
        await screen.until(lambda: screen.seen().count("[/x]") > 1, "the offers of the network")
        check(screen, "network")


@pytest.mark.asyncio
async def test_the_title_of_a_dialog_is_only_words(folder: Path) -> None:
    from tui.app.screens.facts import FactsScreen
    from tui.app.screens.form import ConfirmScreen, Field, FormScreen
    from tui.app.screens.pick import PickScreen

    async with open_screen(folder, (120, 40)) as screen:
        for dialog in (
            FactsScreen(MARKUP, [("a", MARKUP)]),
            ConfirmScreen(MARKUP, MARKUP, "Yes"),
            FormScreen(MARKUP, MARKUP, [Field("a", MARKUP)], "Do it"),
            PickScreen(MARKUP, MARKUP, []),
        ):
            screen.app.push_screen(dialog)  # type: ignore[arg-type]
            await screen.dialog(type(dialog).__name__)
            await screen.until(lambda: MARKUP.strip() in screen.seen(), type(dialog).__name__)
            await screen.press("escape")
            await screen.until(lambda: not screen.app.screen.is_modal, "closed")
