"""Choosing a traffic shape with its cost in view, and the numbers of the circuit pane explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.screen import open_screen
from tests.helpers.scripted_node import ScriptedNode, sample_state
from tui.app.explain import figures
from tui.app.model import AppModel
from tui.app.shapes import ShapeOffer
from tui.app.traffic import TrafficSum

pytestmark = pytest.mark.asyncio
SIZES = [(80, 24), (160, 48)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_shape_and_its_cost_show_before_anything_is_sent(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    del node
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.until(lambda: "text ≥262 kB" in screen.seen(), "the cost")
        await screen.press("ctrl+s")
        await screen.until(lambda: "tells length and rhythm: weaker" in screen.seen(), "choices")
        assert "983 kB a minute each way, all the time" in screen.seen()
        await screen.press("down", "enter")
        await screen.until(lambda: "always-on 2.0 MB/min" in screen.seen(), "chosen")
        await screen.until(lambda: "leak ≤0 bit" in screen.seen() or size[0] > 80, "the leak")


async def test_a_chosen_shape_goes_with_the_question(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: "text ≥262 kB" in screen.seen(), "shapes")
        await screen.press("ctrl+s")
        await screen.until(lambda: "Choose the traffic shape" in screen.seen(), "choices")
        await screen.press("down", "down", "enter")
        await screen.until(lambda: "bulk weaker: rhythm shows" in screen.seen(), "chosen")
        await screen.press(*"hello", "enter")
        await screen.until(lambda: bool(node.called("ask")), "asked")
        assert node.called("ask")[0]["shape"] == "bulk"


@pytest.mark.parametrize("size", SIZES)
async def test_every_number_of_the_circuit_pane_is_explained(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    del node
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f3")
        await screen.until(lambda: "Circuit b7c2" in screen.seen(), "drawing")
        await screen.until(lambda: "97 % dummies" in screen.seen(), "sums")
        assert "middles by weight" in screen.seen()
        await screen.press("e")
        await screen.until(lambda: "What these numbers mean" in screen.seen(), "explained")
        assert "traffic: text-shaped" in screen.seen()
        if size == (80, 24):
            await screen.press("pagedown")
        await screen.until(lambda: "guard kept: 12 d" in screen.seen(), "further down")
        await screen.press("escape")
        await screen.until(lambda: "What these numbers mean" not in screen.seen(), "closed")


async def test_events_from_before_the_screen_opened_are_there(
    folder: Path, node: ScriptedNode
) -> None:
    del node
    async with open_screen(folder, (160, 48)) as screen:
        await screen.connected()
        await screen.press("f3")
        await screen.until(lambda: "chat circuit a41f open" in screen.seen(), "history")


async def test_a_conversation_keeps_its_shape() -> None:
    model = AppModel()
    model.set_shapes(sample_state()["shapes"])
    model.chat.set_sessions([{"session_id": "s", "shape": "always-on"}, {"session_id": "t"}])
    model.chat.open("s")
    assert model.shape() == next(s for s in model.shapes if s.name == "always-on")
    model.chat.open("t")
    assert (shape := model.shape()) is not None
    assert shape.default


async def test_the_help_says_what_the_shape_costs() -> None:
    model = AppModel()
    model.link_up(0.0)
    model.set_shapes(sample_state()["shapes"])
    model.chat.current.shape = "bulk"
    tier, *_, leak = figures(model)
    assert "Cost: only what the text needs" in tier.meaning
    assert (tier.tone, leak.short) == ("warning", "unbounded")


async def test_words_for_each_shape() -> None:
    text, always, bulk = (ShapeOffer.of(item) for item in sample_state()["shapes"])
    assert [shape.tier for shape in (text, always, bulk)] == ["text-shaped", "always-on", "bulk"]
    assert [shape.weak for shape in (text, always, bulk)] == [False, False, True]


async def test_sums_in_lines() -> None:
    lines = TrafficSum.of(sample_state()["traffic"]).lines
    assert lines[0].startswith("text        1 open  ▲  4.3 MB  ▼  4.4 MB  97 % dummies")
    assert lines[1].endswith("7 idle cells")
    assert len(lines) == 2
    cover = {"enabled": True, "talks": 3, "bytes_spent": 1_200_000, "bytes_per_hour": 20_000_000}
    assert TrafficSum.of({"cover": cover}).lines == [
        "cover      3 talks that nobody had  1.2 MB of at most 20 MB an hour"
    ]
