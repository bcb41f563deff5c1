"""The guided start: offered to a new home, each step done or skipped, left and taken up again."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode
from tui.app.first_run.steps import NAMES, STEPS, place_of

pytestmark = pytest.mark.asyncio
WORDS = "abandon ability able about above absent absorb abstract absurd abuse access accident"


async def _page(screen: Screen, title: str) -> None:
    await screen.until(lambda: title in screen.seen(), title)
    await screen.pilot.pause()


async def test_a_new_home_is_shown_around_from_page_to_page(
    folder: Path, node: ScriptedNode
) -> None:
    node.state["guide"] = "welcome"
    async with open_screen(folder, (80, 24)) as screen:
        for place, step in enumerate(STEPS):
            await _page(screen, f"{place + 1} of {len(STEPS)}  {step.title}")
            button = screen.app.screen.query_one("#next")
            button.focus()
            await screen.press("enter")
        await screen.until(lambda: not screen.app.screen.is_modal, "over")
        assert node.state["guide"] == "done"
        assert [call["step"] for call in node.called("guide.set")] == [*NAMES[1:], "done"]


async def test_it_is_left_and_goes_on_where_it_was(folder: Path, node: ScriptedNode) -> None:
    node.state["guide"] = "mint"
    async with open_screen(folder) as screen:
        await _page(screen, "A mint to hold the money")
        assert "Demo mint" in screen.seen()
        screen.app.screen.query_one("#back").focus()
        await screen.press("enter")
        await _page(screen, "Somebody to begin with")
        assert "24 relays" in screen.seen()
        await screen.press("escape")
        await screen.until(lambda: not screen.app.screen.is_modal, "left")
        assert node.state["guide"] == "network"


async def test_a_home_that_is_set_up_is_left_alone(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: bool(node.called("guide")), "asked")
        await screen.pilot.pause(0.2)
        assert not screen.app.screen.is_modal
        screen.app.perform("guide")
        await _page(screen, "What this protects")


async def test_words_are_shown_and_three_of_them_asked_for(
    folder: Path, node: ScriptedNode
) -> None:
    node.state["guide"] = "words"
    node.state["wallet.seed"] = {"words": WORDS}
    async with open_screen(folder, (100, 30)) as screen:
        await _page(screen, "Twelve words on paper")
        assert "Nobody has checked" in screen.seen()
        await screen.press("enter")
        await screen.dialog("WordsScreen")
        assert "accident" in screen.seen()
        await screen.press("escape")
        await screen.dialog("FormScreen")
        assert "accident" not in screen.seen()
        inputs = list(screen.app.screen.query(Input))
        labels = list(screen.app.screen.query(".field-label"))
        numbers = [int(str(label.render()).split()[1]) for label in labels]
        for entry, number in zip(inputs, numbers, strict=True):
            entry.value = WORDS.split()[number - 1]
        inputs[1].value = "zoo"
        inputs[-1].focus()
        await screen.press("enter")
        await screen.until(lambda: "that is another word" in screen.seen(), "refused")
        inputs[1].value = WORDS.split()[numbers[1] - 1]
        inputs[-1].focus()
        await screen.press("enter")
        await _page(screen, "You have the words.")


async def test_a_name_of_another_version_begins_anew() -> None:
    assert place_of("hovercraft") == 0
    assert [place_of(name) for name in NAMES] == list(range(len(STEPS)))
