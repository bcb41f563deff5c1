"""Circuit, mints and earnings panes, dialogs, help, palette, themes: keys in, words on screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from tests.helpers.screen import open_screen
from tests.helpers.scripted_node import ScriptedNode, ghost_earnings
from tui.app.action import PANES
from tui.app.actions import ACTIONS

pytestmark = pytest.mark.asyncio

SIZES = [(80, 24), (160, 48)]


@pytest.mark.parametrize("size", SIZES)
async def test_circuit_pane_draws_the_path(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    node.lively = False
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f3")
        await screen.until(lambda: "Circuit b7c2" in screen.seen(), "drawing")
        for words in ("you ─", "guard ─", "middle ─", "ghost", "4f2a91c0", "kept 12 d", "dummies"):
            await screen.until(lambda words=words: words in screen.seen(), words)
        for words in ("0.5 %", "24", "2 bit", "text-shaped", "round trip", "2.3 ms"):
            assert words in screen.seen()
        assert ("AS24940 DE" in screen.seen()) == (size[1] > 24)
        await screen.press("down")
        await screen.until(lambda: "Circuit a41f" in screen.seen(), "other circuit")
        node.publish("circuit.changed", circuit_id="a41f", state="closed", reason="it was old")
        await screen.until(lambda: "circuit a41f closed: it was old" in screen.seen(), "event")
        node.publish("circuit.changed", circuit_id="77", state="open", purpose="mailbox visit")
        node.publish("circuit.changed", circuit_id="78", state="open", purpose="wallet")
        await screen.until(lambda: "wallet circuit 78 open" in screen.seen(), "another event")
        assert "mailbox visit circuit" not in screen.seen()
        await screen.press("v")
        await screen.until(lambda: "mailbox visit circuit 77 open" in screen.seen(), "all events")
        await screen.press("r")
        await screen.until(lambda: bool(node.called("circuit.rotate")), "rotated")


async def test_the_numbers_of_the_circuit_pane_are_explained_on_a_key(
    folder: Path, node: ScriptedNode
) -> None:
    guards = [{"id": "a1b2c301", "builds": 4}, {"id": "a1b2c302", "builds": 1}, {"id": "x"}]
    node.state["network"]["paths"] = {"guard": "a1b2c301", "guards": guards}
    async with open_screen(folder, (120, 100)) as screen:
        await screen.connected()
        await screen.press("f3")
        await screen.until(lambda: "P(link) at most 1.0 %" in screen.seen(), "of two guards")
        await screen.press("e")
        await screen.dialog("NumbersScreen")
        for words in (
            "traffic: text-shaped",
            "P(link): at most 1.0 %",
            "0.25 %",
            "through 2 guards",
            "drawn from: 24 relays",
            "shape leak: at most 2 bit",
            "round trip: guard 1.1 ms, middle 2.3 ms",
            "network and country: guard AS24940 DE, middle AS16276 FR",
        ):
            assert words in screen.seen(), words
        await screen.press("e")
        await screen.until(lambda: not screen.app.screen.is_modal, "closed")


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_programs_that_are_kept_apart(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f3", "t")
        await screen.dialog("TagsScreen")
        await screen.until(lambda: "editor" in screen.seen(), "the programs")
        for words in ("editor chat", "41 asked", "1 under way", "rests 13 min", "webui titles"):
            assert words in screen.seen(), words
        assert "9c41d0ab, 2" in screen.seen()
        if size[0] > 100:
            assert "webui titles #a1b2c3" in screen.seen()
        await screen.press("down", "l")
        await screen.until(lambda: bool(node.called("api.release")), "let go")
        assert node.called("api.release")[0]["tag"] == "77b0e4d1"
        await screen.until(lambda: "Its sessions were left." in screen.seen(), "said so")
        node.state["api.release"] = {"released": 0}
        await screen.press("l")
        await screen.until(lambda: "It is at work" in screen.seen(), "said so")
        node.state["api.tags"] = []
        await screen.until(lambda: "No program has asked anything" in screen.seen(), "none left")
        await screen.press("escape")
        await screen.until(lambda: not screen.app.screen.is_modal, "back in the pane")


async def test_circuit_pane_explains_emptiness(folder: Path, node: ScriptedNode) -> None:
    node.state["circuits"], node.state["status"]["relays_known"] = [], 2
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("f3")
        await screen.until(lambda: "The node knows 2 relays" in screen.seen(), "words")


@pytest.mark.parametrize("size", SIZES)
async def test_earnings_of_a_ghost(folder: Path, node: ScriptedNode, size: tuple[int, int]) -> None:
    node.state["earnings"] = ghost_earnings()
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f5")
        await screen.until(lambda: "214 answers" in screen.seen(), "counts")
        for words in ("3 refused", "2 open sessions", "qwen3-32b", "804.412 sat", "140 sat"):
            assert words in screen.seen()


async def test_a_node_that_is_no_ghost_explains_itself(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("f5")
        await screen.until(
            lambda: "This node only asks; it does not earn." in screen.seen(), "says"
        )
        assert "answer for what is asked through your" in screen.seen()


async def test_the_demo_shows_the_ghosts_earnings_by_name(folder: Path, node: ScriptedNode) -> None:
    del node
    with ScriptedNode(folder / "g.sock") as ghost:
        ghost.state["earnings"] = ghost_earnings()
        async with open_screen(folder, earnings_socket=folder / "g.sock") as screen:
            await screen.connected()
            await screen.press("f5")
            await screen.until(lambda: "The demo's ghost" in screen.seen(), "label")
            await screen.until(lambda: "214 answers" in screen.seen(), "its earnings")


async def test_help_explains_the_numbers_and_names_the_keys(
    folder: Path, node: ScriptedNode
) -> None:
    del node
    async with open_screen(folder, (160, 100)) as screen:
        await screen.connected()
        await screen.press("f1")
        await screen.dialog("HelpScreen")
        for words in (
            "shape leak: at most 2 bit",
            "guard kept: 12 d",
            "Ctrl+J or Alt+Enter",
            "What this does not protect against",
        ):
            assert words in screen.seen()
        await screen.press("f3")
        assert screen.app.front == "chat"
        await screen.press("escape")
        await screen.until(lambda: not screen.app.screen.is_modal, "closed")


async def test_every_number_is_visible_at_80_columns(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: "leak ≤2 bit" in screen.seen(), "numbers")
        line = next(row for row in screen.seen().splitlines() if "leak" in row)
        for words in ("text-shaped", "last 0.412 sat", "4,096 sat", "set 24", "guard 12 d", "F1"):
            assert words in line
        await screen.until(lambda: "Ctrl+P menu" in screen.seen(), "hints")


async def test_without_colour_the_front_pane_and_the_states_still_show(
    folder: Path, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    del node
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("f3")
        await screen.until(lambda: "● Circuit b7c2" in screen.seen(), "glyph")
        assert screen.app.no_color
        colours = {
            segment.style.color.triplet
            for strip in screen.app.screen._compositor.render_strips()
            for segment in strip.apply_filter(screen.app._filters[-1], Color(0, 0, 0))
            if segment.style and segment.style.color and segment.style.color.triplet
        }
        assert colours
        assert all(max(colour) - min(colour) <= 2 for colour in colours)


async def test_the_palette_finds_every_action(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder, (120, 40)) as screen:
        await screen.connected()
        await screen.press("ctrl+p")
        await screen.dialog("CommandPalette")
        await screen.press(*"Go to Mints")
        await screen.until(lambda: "Your ecash, mint by mint." in screen.seen(), "found")
        await screen.pilot.pause(0.3)
        await screen.press("enter")
        await screen.until(lambda: screen.app.front == "mints", "went there")


async def test_every_action_has_a_deed(folder: Path) -> None:
    async with open_screen(folder) as screen:
        for pane in PANES:
            screen.app.show_pane(pane)
            await screen.until(lambda: screen.app._panes[screen.app.front].ready, "pane")
        for action in ACTIONS:
            owner = screen.app if action.group == "anywhere" else screen.app._panes[action.group]
            known = hasattr(owner, f"do_{action.name}") or action.name in PANES
            assert known, action.name
            assert action.title
            assert action.help


async def test_themes_change_are_remembered_and_follow_their_file(
    folder: Path, node: ScriptedNode
) -> None:
    del node
    async with open_screen(folder, theme="midnight") as screen:
        await screen.connected()
        await screen.press("ctrl+t")
        assert screen.app.theme_file.name == "paper"
        assert screen.app.screen.styles.background.hex.lower() == "#fbf9f4"
        assert (folder / "config" / "tui.toml").read_text() == 'theme = "paper"\n'
        own = folder / "config" / "themes" / "mine.toml"
        own.parent.mkdir()
        from tui.app import themes

        source = (themes.shipped_dir() / "paper.toml").read_text()
        own.write_text(source)
        screen.app.use_theme("mine")
        own.write_text(source.replace("#fbf9f4", "#fefefe"))
        import os

        os.utime(own, (1, 1))
        await screen.until(
            lambda: screen.app.screen.styles.background.hex.lower() == "#fefefe", "reloaded"
        )
        own.write_text("nonsense")
        await screen.until(lambda: "The colours stay as they were" in screen.seen(), "kept")


async def test_panic_asks_once_and_its_safe_answer_is_the_focused_one(
    folder: Path, node: ScriptedNode
) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("alt+w")
        await screen.until(lambda: "Destroy everything?" in screen.seen(), "question")
        await screen.press("enter")
        await screen.until(lambda: "Destroy everything?" not in screen.seen(), "closed")
        assert node.called("wipe") == []
        await screen.press("alt+w")
        await screen.until(lambda: "Destroy everything?" in screen.seen(), "question")
        await screen.press("y")
        await screen.until(lambda: bool(node.called("wipe")), "wiped")
