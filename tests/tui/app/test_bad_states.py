"""What is wrong is said in words, with what is kept and what to do; none of it by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.screen import open_screen
from tests.helpers.scripted_node import ScriptedError, ScriptedNode
from tui.app.alerts import NO_FUNDS, NO_GHOSTS, NO_RELAYS, alerts, headline
from tui.app.model import AppModel

CLOCK = "This computer's clock seems to be 2 h slow or more, by the dates of 5 other nodes."
MINT = "The mint https://mint.example.org/Bitcoin does not answer."


def model_of(**status: object) -> AppModel:
    model = AppModel()
    model.link_up(0.0)
    model.set_status({"relays_known": 24, "ghosts_known": 2, "wallet_sat": 9, **status})
    model.set_offers([{"model": "m", "ghost": "g", "in_price": 1, "out_price": 1}])
    return model


def test_the_most_hindering_comes_first() -> None:
    assert alerts(model_of()) == []
    worst = model_of(relays_known=0, ghosts_known=0, wallet_sat=0, warnings=[CLOCK])
    assert alerts(worst) == [NO_RELAYS, NO_FUNDS, CLOCK]
    assert alerts(model_of(ghosts_known=0)) == [NO_GHOSTS]
    free = model_of(wallet_sat=0)
    free.set_offers([{"model": "m", "ghost": "g", "in_price": 0, "out_price": 0}])
    assert alerts(free) == []  # who asks for nothing costs nothing


def test_what_was_read_goes_away_and_news_come_back() -> None:
    model = model_of(warnings=[MINT])
    assert MINT in headline(model, frozenset())
    assert headline(model, frozenset({MINT})) == ""
    model.set_status({"relays_known": 24, "ghosts_known": 2, "warnings": [MINT, CLOCK]})
    assert CLOCK in headline(model, frozenset({MINT}))
    model.link_lost(1.0, "gone")
    assert "link to the node is lost" in headline(model, frozenset({MINT, CLOCK}))


@pytest.mark.asyncio
async def test_no_node(folder: Path) -> None:
    async with open_screen(folder) as screen:
        await screen.until(lambda: "There is no node to talk to" in screen.seen(), "banner")
        await screen.until(lambda: "No Peer2Prompt node is running here" in screen.seen(), "why")
        assert "peer2prompt" in screen.seen()
        await screen.ask("Is anybody there?")
        await screen.until(lambda: "node is not connected" in screen.seen(), "kept")
        assert "Is anybody there?" in screen.seen()


@pytest.mark.asyncio
async def test_a_node_that_goes(folder: Path, node: ScriptedNode) -> None:
    async with open_screen(folder) as screen:
        await screen.connected()
        node.answer = None
        await screen.ask("What is an onion?")
        await screen.until(lambda: bool(node.called("ask")), "asked")
        node.stop()
        await screen.until(lambda: "The link to the node is lost" in screen.seen(), "banner")
        assert "What is an onion?" in screen.seen()
        node.start()
        await screen.until(lambda: "The link to the node is lost" not in screen.seen(), "back")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"relays_known": 0, "ghosts_known": 0, "set_size": 0}, "knows no relay yet"),
        ({"ghosts_known": 0}, "nobody to ask"),
        ({"warnings": [CLOCK]}, "clock seems to be 2 h slow"),
        ({"warnings": [MINT]}, "does not answer"),
    ],
)
async def test_a_line_says_it_until_it_was_read(
    folder: Path, node: ScriptedNode, status: dict[str, object], words: str
) -> None:
    node.state["status"].update(status)
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: words in " ".join(screen.seen().split()), "the line")
        await screen.press("f1")
        await screen.dialog("HelpScreen")
        await screen.until(lambda: "What is wrong now" in screen.seen(), "help")
        await screen.press("escape")
        await screen.until(lambda: not screen.app.screen.is_modal, "closed")
        await screen.until(lambda: "takes this line away" not in screen.seen(), "gone")


@pytest.mark.asyncio
async def test_no_funds(folder: Path, node: ScriptedNode) -> None:
    node.state["status"]["wallet_sat"] = 0
    node.state["wallet.balance"] = {"total_sat": 0, "mints": []}
    refused = ScriptedError(
        "insufficient_funds",
        "The wallet holds 0 sat; this answer may cost 20 sat.",
        "Nothing was paid and nothing was sent.",
        "Fund the wallet on the mints pane (F4).",
    )
    node.failures["ask"] = refused
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.until(lambda: "Your wallet is empty" in screen.seen(), "line")
        await screen.ask("What is an onion?")
        for words in ("The wallet holds 0 sat", "Nothing was paid", "Ctrl+R"):
            await screen.until(lambda words=words: words in screen.seen(), words)


@pytest.mark.asyncio
async def test_a_ghost_that_refuses(folder: Path, node: ScriptedNode) -> None:
    node.answer = None
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("Something it will not do")
        await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
        error = {
            "code": "refused",
            "message": "The ghost does not answer such questions.",
            "kept": "Nothing was paid.",
            "hint": "Ask another ghost, or in other words.",
        }
        node.publish("ask.failed", ask_id="ask1", session_id="new1", error=error)
        for words in ("does not answer such questions", "Nothing was paid", "Ask another ghost"):
            await screen.until(lambda words=words: words in screen.seen(), words)


@pytest.mark.asyncio
async def test_a_mint_that_is_down_is_marked(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder, (120, 40)) as screen:
        await screen.connected()
        await screen.press("f4")
        await screen.until(lambda: "mint.example.org" in screen.seen(), "listed")
        await screen.until(lambda: "✗ failing" in screen.seen(), "marked")
