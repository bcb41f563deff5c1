"""The ghosts of the network pane: what is shown of each, and every deed that is about one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_ghost import ghosts_known
from tests.helpers.scripted_node import ScriptedError, ScriptedNode
from tui.app.ghosts import GhostsView, price_of
from tui.app.look import Look
from tui.app.model import ModelOffer
from tui.app.panes.network import ghost_head, ghost_line
from tui.app.themes import BUILT_IN
from tui.app.widgets.lines import LineList

SIZES = [(80, 24), (160, 48)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from(["ghost", "score", "quarantine", "models", "seen", "words", "evidence"])


@asynccontextmanager
async def network(folder: Path, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Screen]:
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f6")
        await seen(screen, "77aa0192")
        yield screen


async def seen(screen: Screen, words: str) -> None:
    await screen.until(lambda: words in screen.seen(), words)


def offer(ghost: str, out_price: int, name: str = "m") -> ModelOffer:
    return ModelOffer.of({"ghost": ghost, "model": name, "out_price": out_price, "in_price": 1000})


@given(st.lists(st.dictionaries(FIELDS, JSON), max_size=3), JSON)
def test_whatever_a_node_says_is_shown(ghosts: object, probes: object) -> None:
    view = GhostsView()
    view.update({"ghosts": ghosts, "probes": probes})
    for ghost in view.ghosts:
        assert ghost.state(0.0)
        assert ghost.glyph in "✗★○●"
        assert len(ghost.facts("", 0.0)) >= 10


def test_the_cheapest_model_names_the_price() -> None:
    offers = [offer("a", 9_000_000, "big"), offer("a", 300_000, "small"), offer("b", 1, "x")]
    price = price_of("a", offers)
    assert price is not None
    assert (price.cell, price.name) == ("1/300", "small +1")
    assert price.words == ("1 sat for a million tokens in, 300 out, of small, and 1 model more")
    assert price_of("c", offers) is None


def test_the_state_is_seen_without_colour() -> None:
    view = GhostsView()
    view.update(ghosts_known())
    assert [ghost.glyph for ghost in view.ghosts] == ["★", "○", "✗", "✗"]
    now = view.ghosts[2].quarantine
    assert now is not None
    assert now.until is not None
    states = [ghost.state(now.until - 240) for ghost in view.ghosts]
    assert states == ["trusted", "new", "resting 4 min", "left alone"]
    before = view.revision
    view.update(ghosts_known() | {"probes": {"sat_per_day": 1, "asked": 2}})
    assert view.revision == before + 1
    assert "2 asked" in view.probes


@pytest.mark.asyncio
async def test_ghosts_with_score_price_and_why(folder: Path, node: ScriptedNode) -> None:
    del node
    async with network(folder, SIZES[0]) as screen:
        for words in ("★ 4f2a91c0  0.91", "trusted", "903 ms", "100/300  smollm2-135m"):
            await seen(screen, words)
        for words in ("Ghosts, the best first", "first word", "2 left alone", "it billed more"):
            assert words in screen.seen()


def test_a_wide_window_has_a_column_for_why() -> None:
    view = GhostsView()
    view.update(ghosts_known())
    look = Look.of(BUILT_IN.colours, BUILT_IN.dark)
    price = price_of("a", [offer("a", 300_000, "a-model-with-a-very-long-name")])
    for width in (40, 76, 116, 196):
        lines = [ghost_line(ghost, price, 0.0, width, look).plain for ghost in view.ghosts]
        assert all(len(line) <= max(width, 60) for line in lines)
        assert len(ghost_head(width)) <= max(width, 60)
        assert ("it billed more than agreed" in lines[-1]) == (width > 110)
        assert ("why" in ghost_head(width)) == (width > 110)


@pytest.mark.asyncio
async def test_all_that_is_known_of_one(folder: Path, node: ScriptedNode) -> None:
    del node
    async with network(folder, (120, 40)) as screen:
        await screen.press("enter")
        await screen.dialog("FactsScreen")
        for words in (
            "31 answered, 1 refused",
            "first word in 903 ms, 40 tokens/s",
            "none of ours",
        ):
            assert words in screen.seen()
        await screen.press("escape", "end", "d")
        await screen.dialog("FactsScreen")
        for words in ("overbilled; 1 piece told by others", "not in the directory now"):
            assert words in screen.seen()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("key", "mark", "said"),
    [("t", "trust", "is trusted"), ("x", "quarantine", "is left alone"), ("z", "forget", "is new")],
)
async def test_a_mark_is_asked_about_first(
    folder: Path, node: ScriptedNode, key: str, mark: str, said: str
) -> None:
    async with network(folder) as screen:
        await screen.press("down", key)
        await screen.dialog("ConfirmScreen")
        assert "77aa0192" in str(screen.app.screen.query_one(".dialog").border_title)
        await screen.press("enter")
        await screen.until(lambda: not screen.app.screen.is_modal, "the safe answer")
        assert node.called("ghosts.mark") == []
        await screen.press(key)
        await screen.dialog("ConfirmScreen")
        await screen.press("y")
        await seen(screen, f"77aa0192 {said}")
        assert node.called("ghosts.mark") == [{"ghost": "77aa0192" + "1" * 56, "mark": mark}]


@pytest.mark.asyncio
async def test_the_scores_are_explained(folder: Path, node: ScriptedNode) -> None:
    del node
    async with network(folder, (120, 50)) as screen:
        await screen.press("e")
        await screen.dialog("FactsScreen")
        await seen(screen, "5 asked, 4 right, 1 wrong")


@pytest.mark.asyncio
async def test_evidence_is_given_away_after_a_question_and_taken_after_a_check(
    folder: Path, node: ScriptedNode
) -> None:
    async with network(folder) as screen:
        screen.app.perform("evidence_copy")
        await screen.dialog("ConfirmScreen")
        await screen.press("y")
        await seen(screen, "2 documents of")
        screen.app.perform("evidence_take")
        await screen.dialog("FormScreen")
        await screen.press(*"P2PE1", "enter")
        await seen(screen, "1 new, 2 known, 0 that prove")
        node.failures["evidence.export"] = ScriptedError("config", "Evidence stays here.")
        screen.app.perform("evidence_copy")
        await screen.dialog("ConfirmScreen")
        await screen.press("y")
        await seen(screen, "Evidence stays here.")


@pytest.mark.asyncio
async def test_a_thousand_ghosts_are_no_thousand_widgets(folder: Path, node: ScriptedNode) -> None:
    first = node.state["ghosts"]["ghosts"][0]
    node.state["ghosts"]["ghosts"] += [
        first | {"ghost": f"{n:08x}", "id": f"{n:064x}"} for n in range(1_000)
    ]
    async with network(folder) as screen:
        lines = screen.app.query_one("#network-ghosts", LineList)
        widgets = len(screen.app.query("*"))
        await screen.press("end")
        await seen(screen, f"{999:08x}")
        assert len(screen.app.query("*")) == widgets
        assert len(lines._strips) < 100


@pytest.mark.asyncio
async def test_a_node_that_is_no_client_is_not_asked(folder: Path, node: ScriptedNode) -> None:
    node.state["status"]["roles"] = ["relay"]
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("f6")
        await seen(screen, "24 relays")
        await screen.press("t")
        await seen(screen, "No ghost is known yet.")
        assert node.called("ghosts") == []
