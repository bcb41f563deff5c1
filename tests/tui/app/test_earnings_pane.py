"""The earnings pane: every deed of it, from the key to what the ghost is asked and what is seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedError, ScriptedNode, ghost_earnings

pytestmark = pytest.mark.asyncio
SIZES = [(80, 24), (160, 48)]


@asynccontextmanager
async def earnings(
    folder: Path, node: ScriptedNode, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Screen]:
    node.state["earnings"] = ghost_earnings()
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f5")
        await seen(screen, "214 answers")
        await screen.until(lambda: screen.app.model.earnings.ghost.known, "the ghost's state")
        yield screen


async def seen(screen: Screen, words: str) -> None:
    await screen.until(lambda: words in screen.seen(), words)


async def fill(screen: Screen, changes: dict[int, str]) -> None:
    """Put texts into fields of the form in front, by their place, and go on from the last one."""
    await screen.dialog("FormScreen")
    fields = list(screen.app.screen.query(Input))
    for place, text in changes.items():
        fields[place].value = text
    fields[-1].focus()
    await screen.press("enter")


async def asked(screen: Screen, node: ScriptedNode, method: str) -> dict[str, object]:
    await screen.until(lambda: bool(node.called(method)), method)
    return {name: value for name, value in node.called(method)[-1].items() if value is not None}


@pytest.mark.parametrize("size", SIZES)
async def test_how_it_earns_and_how_it_runs(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    node.state["traffic"]["relay"] = {"circuits": 12, "circuits_most": 20_000}
    async with earnings(folder, node, size) as screen:
        await seen(screen, "3 of 16 answering")
        for words in ("margin 944.412 sat", "last 24 hours, most", "█", "$4.58 of $5 left"):
            assert words in screen.seen()
        await screen.press("tab", "end")
        await seen(screen, "12 of 20,000 open")
        if size == (80, 24):
            await screen.press("home")
            for _ in range(9):
                await screen.press("down")
        else:
            await screen.press("home")
        await seen(screen, "✗ second (anthropic)  out  auth  waits for you")


async def test_hours_and_days(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("t")
        await seen(screen, "last 30 days, most 150 sat")
        await screen.press("t")
        await seen(screen, "last 24 hours")


async def test_pausing_asks_and_going_on_does_not(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("p")
        await screen.dialog("ConfirmScreen")
        await screen.press("n")
        assert node.called("ghost.pause") == []
        await screen.press("p")
        await screen.dialog("ConfirmScreen")
        await screen.press("y")
        await seen(screen, "‖ paused")
        await screen.press("p")
        await screen.until(lambda: "‖ paused" not in screen.seen(), "open again")
        await screen.press("g")
        await screen.until(lambda: len(node.called("ghost.resume")) == 2, "tried again")


async def test_the_price_of_one_model(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("m")
        await screen.dialog("PickScreen")
        await screen.press("down", "enter")
        await screen.dialog("FormScreen")
        assert "Price of qwen3-32b" in screen.seen()
        assert [field.value for field in screen.app.screen.query(Input)] == ["900", "2700"]
        await fill(screen, {1: "a lot"})
        await seen(screen, "a number, such as 0.25")
        await fill(screen, {1: "2500"})
        change = await asked(screen, node, "ghost.prices.set")
        models = change["models"]
        assert isinstance(models, dict)
        price = models["qwen3-32b"]
        assert (price.in_price, price.out_price) == (900_000, 2_500_000)


async def test_costs_in_dollars_where_prices_follow_the_provider(
    folder: Path, node: ScriptedNode
) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("s")
        await screen.dialog("FormScreen")
        await screen.press("right")
        await seen(screen, "‹margin›")
        await fill(screen, {1: "40"})
        change = await asked(screen, node, "ghost.prices.set")
        assert (change["mode"], change["margin_percent"], change["sat_per_usd"]) == (
            "margin",
            40,
            1_000,
        )
        node.state["ghost.prices"]["models"] = node.state["ghost.prices"]["models"][:1]
        await screen.press("m")
        await fill(screen, {0: "0.15", 1: "0.6"})
        await screen.until(lambda: len(node.called("ghost.prices.set")) == 2, "costs")
        model = node.called("ghost.prices.set")[1]["models"]["smollm2-135m"]
        assert (model.in_usd, model.out_usd) == ("0.15", "0.6")


async def test_caps(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("l")
        await fill(screen, {0: "2.50", 1: "100000", 2: "4"})
        change = await asked(screen, node, "ghost.caps.set")
        assert change["usd_per_day"] == "2.50"
        assert (change["tokens_per_day"], change["concurrent"]) == (100_000, 4)


async def test_what_is_refused_is_marked_in_a_list(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("c")
        await screen.dialog("SeveralScreen")
        assert "help with violent crimes" in screen.seen()
        assert "[x] sexual-minors" in screen.seen()
        await screen.press("space", "down", "enter", "enter", "ctrl+s")
        change = await asked(screen, node, "ghost.policy.set")
        assert change["refused"] == ["harassment", "sexual-minors"]
        await screen.press("c")
        await screen.dialog("SeveralScreen")
        await screen.press("escape")
        await screen.until(lambda: not screen.app.screen.is_modal, "left")
        assert len(node.called("ghost.policy.set")) == 1


async def test_the_policy_and_what_the_node_thinks_of_it(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("o")
        await fill(screen, {0: "command", 2: "/usr/bin/judge --fast", 5: "yes", 8: "ch"})
        change = await asked(screen, node, "ghost.policy.set")
        assert change["moderation"] == "command"
        assert change["command"] == ["/usr/bin/judge", "--fast"]
        assert (change["images"], change["tools"], change["jurisdiction"]) == (True, False, "CH")
        assert "rules" not in change
        words = "That needs a file of rules."
        node.failures["ghost.policy.set"] = ScriptedError("config", words, kept="Nothing changed.")
        await screen.press("o")
        await fill(screen, {0: "rules"})
        await seen(screen, "That needs a file of rules.")


async def test_a_key_is_typed_unseen(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("k")
        await screen.dialog("FormScreen")
        await screen.press("enter", *"sk-secret")
        assert "sk-secret" not in screen.seen()
        await screen.press("enter")
        assert await asked(screen, node, "ghost.key") == {"name": "main", "key": "sk-secret"}
        await seen(screen, "The key main is kept and used.")
        assert "sk-secret" not in screen.seen()


async def test_a_payout_is_asked_about_first(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("w")
        await fill(screen, {0: "2,500", 1: "bob@example.org"})
        await screen.dialog("ConfirmScreen")
        assert "Pay 2,500 sat to bob@example.org?" in screen.seen()
        assert node.called("ghost.payout") == []
        await screen.press("y")
        await seen(screen, "2,500 sat paid out.")
        change = await asked(screen, node, "ghost.payout")
        assert change == {"address": "bob@example.org", "amount_sat": 2_500}
        await screen.press("h")
        await screen.dialog("FactsScreen")
        for words in ("2,500 sat, fee 3 sat, paid", "12,000 sat", "failed"):
            assert words in screen.seen()


async def test_the_earnings_are_explained(folder: Path, node: ScriptedNode) -> None:
    async with earnings(folder, node) as screen:
        await screen.press("e")
        await screen.dialog("FactsScreen")
        assert "What these numbers mean" in screen.seen()


async def test_nothing_is_operated_on_a_node_that_is_no_ghost(
    folder: Path, node: ScriptedNode
) -> None:
    node.state["traffic"]["relay"] = {"circuits": 12}
    async with open_screen(folder, (100, 40)) as screen:
        await screen.connected()
        await screen.press("f5")
        await seen(screen, "peer2prompt ghost setup")
        await seen(screen, "12 open")
        for key in "pgmslockwh":
            await screen.press(key)
        await seen(screen, "This node is no ghost")
        assert not any(name.startswith("ghost.") for name, _ in node.calls)


async def test_the_demos_ghost_is_operated_over_its_own_socket(
    folder: Path, node: ScriptedNode
) -> None:
    with ScriptedNode(folder / "g.sock") as ghost:
        ghost.state["earnings"] = ghost_earnings()
        async with open_screen(folder, earnings_socket=folder / "g.sock") as screen:
            await screen.connected()
            await screen.press("f5")
            await seen(screen, "3 of 16 answering")
            await screen.press("p")
            await screen.dialog("ConfirmScreen")
            await screen.press("y")
            await seen(screen, "‖ paused")
            assert ghost.called("ghost.pause")
            assert not node.called("ghost.pause")


async def test_the_plain_profile_says_it_in_words(
    folder: Path, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEER2PROMPT_PROFILE", "plain")
    async with earnings(folder, node, (120, 40)) as screen:
        await seen(screen, "earned in all (sat): 1,204")
        await seen(screen, "last 24 hours, most")
        assert not set("╭╮╰╯│─▌▐█▁▂▃") & set(screen.seen())
