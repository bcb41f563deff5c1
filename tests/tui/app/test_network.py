"""The network pane: headless view, and keys in, words on screen at both sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.screen import open_screen
from tests.helpers.scripted_node import ScriptedNode
from tui.app.network import NetworkView
from tui.app.screens.qr import qr_lines

SIZES = [(80, 24), (160, 48)]
SHORT = "P2P1" + "A" * 84  # an invite of one contact
LONG = "P2P1" + "A" * 266  # of four
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_whatever_a_node_says_is_shown(directory: object, offers: object, paths: object) -> None:
    view = NetworkView()
    view.update({"directory": directory, "offers": offers, "paths": paths})
    assert view.known
    assert view.facts


def test_worries_stand_out() -> None:
    view = NetworkView()
    view.update(
        {
            "directory": {
                "view": {"sources": 3, "known": 90, "lowest": 0.4, "dissenting": ["ab12"]},
                "reach": {"address": "", "state": "unknown", "asked": 1, "agreeing": 1},
                "errors": ["The name seeds.example.org did not answer in time."],
            }
        }
    )
    worries = {fact.name: fact.words for fact in view.facts if fact.worry}
    assert set(worries) == {"view", "contacts", "address", "trouble"}
    assert "ab12 showed only 40 %" in worries["view"]


def test_the_same_snapshot_paints_nothing_anew() -> None:
    view = NetworkView()
    snapshot = {"relays": [{"id": "aa", "roles": ["relay"]}]}
    view.update(snapshot)
    before = view.revision
    view.update(snapshot)
    assert view.revision == before


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_the_pane_shows_the_network(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    del node
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f6")
        await screen.until(lambda: "24 relays" in screen.seen(), "counts")
        for words in (
            "epoch 2941",
            "they agree",
            "invite 4 (3 answered)",
            "3 of 4 networks",
            "qwen-small",
            "10,000 – 12,000",
            "a1b2c300",
            "F6 Network",
        ):
            await screen.until(lambda words=words: words in screen.seen(), words)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_an_invite_is_shown_whole_as_a_code(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    node.state["network.invite"] = {"invite": LONG, "short": SHORT}
    code = qr_lines(SHORT if size == (80, 24) else LONG)
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f6")
        await screen.until(lambda: "24 relays" in screen.seen(), "counts")
        await screen.press("i")
        await screen.dialog("InviteScreen")
        await screen.until(lambda: code[-2] in screen.seen(), "the code")
        assert all(row in screen.seen() for row in code)
        assert "P2P1AAAA" in screen.seen()
        await screen.press("escape")
        await screen.until(lambda: "24 relays" in screen.seen(), "back")


@pytest.mark.asyncio
async def test_joining_says_who_answered(folder: Path, node: ScriptedNode) -> None:
    node.state["network.join"] = {"contacts": 4, "answered": 3, "relays_known": 25}
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("f6")
        await screen.until(lambda: "24 relays" in screen.seen(), "counts")
        await screen.press("j")
        await screen.dialog("FormScreen")
        await screen.press(*"P2P1ABC", "enter")
        await screen.until(lambda: "3 of 4 nodes answered" in screen.seen(), "the answer")
        assert node.called("network.join")[0] == {"invite": "P2P1ABC"}


@pytest.mark.asyncio
async def test_joining_where_nobody_answers_says_so(folder: Path, node: ScriptedNode) -> None:
    node.state["network.join"] = {"contacts": 4, "answered": 0, "relays_known": 0}
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.press("f6")
        await screen.until(lambda: "24 relays" in screen.seen(), "counts")
        await screen.press("j")
        await screen.dialog("FormScreen")
        await screen.press(*"P2P1ABC", "enter")
        await screen.until(lambda: "Nobody answered" in screen.seen(), "the answer")
