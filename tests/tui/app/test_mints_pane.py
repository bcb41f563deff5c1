"""The mints pane: every deed of it, from the key to what the node is asked and what is seen."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode
from tests.helpers.scripted_wallet import DEMO_MINT, OTHER_MINT, WalletError, moved, quoted
from tui.app.actions import ACTIONS
from tui.app.panes.mints import MintsPane
from tui.app.widgets.lines import LineList

SIZES = [(80, 24), (160, 48)]


@asynccontextmanager
async def mints(folder: Path, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Screen]:
    async with open_screen(folder, size) as screen:
        await screen.connected()
        await screen.press("f4")
        await screen.until(lambda: "Demo mint" in screen.seen(), "mints")
        yield screen


async def seen(screen: Screen, words: str) -> None:
    await screen.until(lambda: words in screen.seen(), words)


async def back(screen: Screen) -> None:
    await screen.until(lambda: not screen.app.screen.is_modal, "back in the pane")


async def fill(screen: Screen, *texts: str) -> None:
    """A form from its first field on; Enter goes on."""
    await screen.dialog("FormScreen")
    for text in texts:
        if text:
            await screen.press(*text)
        await screen.press("enter")


async def pick_first(screen: Screen) -> None:
    await screen.dialog("PickScreen")
    await screen.press("enter")


async def agree(screen: Screen, *words: str) -> None:
    await screen.dialog("ConfirmScreen")
    for word in words:
        assert word in screen.seen(), word
    await screen.press("y")


# -- what is shown


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.asyncio
async def test_balances_and_what_moved(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    node.state["wallet.balance"]["mints"].append(
        {"url": f"{DEMO_MINT}#usd", "name": "Demo mint", "unit": "usd", "available_sat": 250}
    )
    async with mints(folder, size) as screen:
        await seen(screen, "paid for an answer")
        for words in ("4,096 sat ready", "2.50 usd", "128 resting", "✗ failing", "23 ms"):
            assert words in screen.seen()
        assert "+4,096 sat" in screen.seen()
        assert ("62 %" in screen.seen()) is (size[0] >= 100)
        for hint in ("f fund", "r receive", "p pay", "e explain", "m move", "Ctrl+Q leave"):
            assert hint in screen.seen()
        await screen.press("down")
        await seen(screen, "did not answer within 10 s")


@pytest.mark.asyncio
async def test_what_is_known_of_a_mint(folder: Path, node: ScriptedNode) -> None:
    del node
    async with mints(folder) as screen:
        await screen.press("down", "enter")
        await screen.dialog("FactsScreen")
        for words in (OTHER_MINT, "62 % of the last fifty", "! 62 % of its last answers failed."):
            assert words in screen.seen()
        await screen.press("escape")
        await back(screen)
        await screen.press("e")
        await screen.dialog("FactsScreen")
        assert "Came in lately and is not spent yet" in screen.seen()


@pytest.mark.asyncio
async def test_a_long_history_is_read_as_it_is_walked(folder: Path, node: ScriptedNode) -> None:
    """No widget and no line drawn but for what is in view."""
    now = time.time()
    node.state["wallet.history"] = [moved(now - n, "pay", -n, f"entry {n}") for n in range(1, 1001)]
    async with mints(folder) as screen:
        await seen(screen, "entry 1 ")
        lines = screen.app.query_one("#history", LineList)
        widgets = len(screen.app.query("*"))
        lines.focus()
        wallet = screen.app.model.wallet
        while not wallet.all_read:
            before = len(wallet.history)
            await screen.press("end")
            await screen.until(lambda: len(wallet.history) > before or wallet.all_read, "more")  # noqa: B023
        await screen.until(lambda: lines.virtual_size.height == 1000, "all of it in the list")
        await screen.press("end")
        await seen(screen, "entry 1000")
        assert len(wallet.history) == 1000
        assert len({item.detail for item in wallet.history}) == 1000
        assert len(screen.app.query("*")) == widgets
        assert len(lines._strips) < 200
        node.state["wallet.history"].insert(0, moved(now, "pay", -1, "just now"))
        screen.app.link.refresh("wallet.history")
        await screen.until(lambda: wallet.history[0].detail == "just now", "the newest")
        assert len(wallet.history) == 1001, "what was read stays"
        await screen.press("home")
        await seen(screen, "just now")
        await screen.press("enter")
        await screen.dialog("FactsScreen")
        assert "kind    pay" in screen.seen()


@pytest.mark.asyncio
async def test_searching_what_moved(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("slash")
        await fill(screen, "minted")
        await seen(screen, "What moved: “minted”")
        await screen.until(lambda: "paid for an answer" not in screen.seen(), "only these")
        assert node.called("wallet.history")[-1]["text"] == "minted"
        await screen.press("slash")
        await fill(screen, "nowhere")
        await seen(screen, "Nothing has “nowhere” in its words.")
        await screen.press("x")
        await seen(screen, "paid for an answer")


# -- Lightning


async def fund(screen: Screen, node: ScriptedNode) -> None:
    await screen.press("f")
    await pick_first(screen)
    await fill(screen, "")
    await screen.dialog("InvoiceScreen")
    assert node.called("wallet.fund") == [{"mint": DEMO_MINT, "amount_sat": 1000}]


@pytest.mark.asyncio
async def test_an_invoice_is_shown_until_it_is_paid(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder, (120, 48)) as screen:
        await fund(screen, node)
        await seen(screen, "Waiting for the payment")
        assert "█▀▀▀▀▀█" in screen.seen()
        (asked,) = node.called("wallet.wait")
        assert (asked["kind"], asked["id"], asked["mint"]) == ("fund", "q1", DEMO_MINT)
        node.state["waited"] = "PAID"
        await seen(screen, "Paid. 1,000 sat are in the wallet.")
        await screen.press("escape")
        await back(screen)


@pytest.mark.asyncio
async def test_a_closed_invoice_leaves_no_mint_on_the_line(
    folder: Path, node: ScriptedNode
) -> None:
    async with mints(folder) as screen:
        await fund(screen, node)
        await screen.until(lambda: bool(node.called("wallet.wait")), "waiting")
        await screen.press("escape")
        await screen.until(lambda: bool(node.called("wallet.wait.stop")), "stopped")
        (asked,), (stopped,) = node.called("wallet.wait"), node.called("wallet.wait.stop")
        assert asked["handle"] == stopped["handle"] != ""


@pytest.mark.asyncio
async def test_a_small_window_shows_the_code_alone_if_it_can(
    folder: Path, node: ScriptedNode
) -> None:
    async with mints(folder) as screen:
        await fund(screen, node)
        await seen(screen, "A QR code of this needs 27 lines")
        assert "▀▀▀▀▀█" not in screen.seen()
        await screen.press("z")
        await seen(screen, "The code needs 26 lines")
        await screen.pilot.resize_terminal(80, 26)
        await seen(screen, "█ ▄▄▄ █")
        assert "Demo mint" not in screen.seen()
        await screen.press("z")
        await screen.dialog("InvoiceScreen")


@pytest.mark.asyncio
async def test_funding_as_the_policy_says(folder: Path, node: ScriptedNode) -> None:
    node.state["waited"] = "PAID"
    async with mints(folder) as screen:
        await screen.press("F")
        await fill(screen, "500")
        for _ in range(2):
            await screen.dialog("InvoiceScreen")
            await seen(screen, "Paid.")
            await screen.press("escape")
            await screen.pilot.pause(0.1)
        assert [asked["mint"] for asked in node.called("wallet.wait")] == [DEMO_MINT, OTHER_MINT]


@pytest.mark.asyncio
async def test_paying_shows_the_fee_first(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("p")
        await fill(screen, "lnbc1")
        await screen.dialog("ConfirmScreen")
        assert not node.called("wallet.melt")
        await agree(screen, "Pay 100 sat?", "At most 2 sat of fees", "from Demo mint")
        await seen(screen, "Paid 100 sat; the fee was 1 sat.")
        assert node.called("wallet.melt") == [{"quote_id": "m1", "mint": DEMO_MINT}]


@pytest.mark.asyncio
async def test_paying_in_parts_of_several_mints(folder: Path, node: ScriptedNode) -> None:
    node.state["wallet.pay.quote"] = [
        {"quote_id": "m1", "amount_sat": 60, "fee_reserve_sat": 2, "mint": DEMO_MINT},
        {"quote_id": "m2", "amount_sat": 40, "fee_reserve_sat": 1, "mint": OTHER_MINT},
    ]
    async with mints(folder) as screen:
        await screen.press("p")
        await fill(screen, "lnbc1")
        await agree(screen, "Pay 100 sat?", "At most 3 sat", "60 sat (fees up to 2)", "40 sat")
        await seen(screen, "Paid 100 sat; the fee was 2 sat.")
        (paid,) = node.called("wallet.parts.pay")
        assert paid == {"quote_ids": ["m1", "m2"], "mints": [DEMO_MINT, OTHER_MINT]}


@pytest.mark.asyncio
async def test_a_payment_under_way_is_watched(folder: Path, node: ScriptedNode) -> None:
    node.state["wallet.melt"] = {"paid": False, "state": "PENDING"}
    async with mints(folder) as screen:
        await screen.press("p")
        await fill(screen, "lnbc1")
        await agree(screen)
        await seen(screen, "Not paid yet")
        await screen.until(lambda: bool(node.called("wallet.wait")), "watched")
        assert node.called("wallet.wait")[0]["kind"] == "melt"
        node.state["waited"] = "PAID"
        await seen(screen, "The payment through Demo")


@pytest.mark.asyncio
async def test_paying_an_address_asks_for_the_amount(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("p")
        await fill(screen, "a@b.example")
        await seen(screen, "Amount in sat")
        await screen.press(*"21", "enter")
        await screen.dialog("ConfirmScreen")
        (asked,) = node.called("wallet.pay.quote")
        assert (asked["invoice"], asked["amount_sat"]) == ("a@b.example", 21)


@pytest.mark.asyncio
async def test_moving_shows_the_fee_first(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("m")
        await pick_first(screen)
        await fill(screen, "100")
        await screen.dialog("ConfirmScreen")
        assert not node.called("wallet.moves")
        await agree(screen, "Move 100 sat?", "up to 3 sat")
        await seen(screen, "it cost 2 sat")
        (asked,) = node.called("wallet.moves")
        assert asked["moves"][0].fund_id == "f1"


@pytest.mark.asyncio
async def test_evening_out(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("b")
        await agree(screen, "Make 1 move to even out?", "2,000 sat from Demo mint")
        await seen(screen, "Moved 100 sat; it cost 2 sat.")
        node.state["wallet.even.quote"] = [quoted(DEMO_MINT, OTHER_MINT, 9)]
        node.state["wallet.moves"] = [{"amount_sat": 9, "trouble": "The mint refused."}]
        await screen.press("b")
        await agree(screen)
        await seen(screen, "Not moved: The mint refused.")
        node.state["wallet.even.quote"] = []
        await screen.press("b")
        await seen(screen, "nothing is worth a move")


# -- ecash as text


@pytest.mark.asyncio
async def test_a_token_to_hand_over(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("s")
        await pick_first(screen)
        await fill(screen, "0")
        await seen(screen, "a whole number, at least 1")
        await screen.press("backspace", *"21", "enter")
        await screen.dialog("TokenScreen")
        assert "A token worth 21 sat" in screen.seen()
        assert "cashuB" in screen.seen()
        assert not node.called("wallet.wait"), "nobody asks about a token that nobody watches"


@pytest.mark.asyncio
async def test_a_locked_token(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("l")
        await pick_first(screen)
        await fill(screen, "21", "02ab 02cd", "", "24", "02ef")
        await screen.dialog("TokenScreen")
        assert "only whoever has the key can take it" in screen.seen()
        (asked,) = node.called("wallet.send")
        lock = asked["lock"]
        assert (lock.keys, lock.needs, lock.refund_keys) == (["02ab", "02cd"], 1, ["02ef"])
        assert 23 * 3600 < lock.until - time.time() <= 24 * 3600


@pytest.mark.asyncio
async def test_the_form_of_a_lock_fits_a_small_window(folder: Path, node: ScriptedNode) -> None:
    del node
    async with mints(folder) as screen:
        await screen.press("l")
        await pick_first(screen)
        await screen.dialog("FormScreen")
        for words in ("Amount in sat", "Key of the payee", "Key for refunds", "Cancel"):
            assert words in screen.seen(), words


@pytest.mark.asyncio
async def test_tokens_that_are_out(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("o")
        await screen.dialog("SentScreen")
        await seen(screen, "not taken yet")
        assert "5 sat  taken" in screen.seen()
        await screen.press("enter")
        await screen.dialog("TokenScreen")
        await seen(screen, "Nobody has taken it yet")
        assert node.called("wallet.wait")[0]["kind"] == "sent"
        node.state["waited"] = "taken"
        await seen(screen, "✓ It was taken.")
        await screen.press("escape")
        await screen.dialog("SentScreen")
        await screen.press("t")
        await screen.until(lambda: bool(node.called("wallet.sent.back")), "taken back")
        await seen(screen, "21 sat are back.")
        await screen.press("k")
        await seen(screen, "The mint says: taken.")
        await screen.press("c")
        await seen(screen, "This token is taken.")
        await screen.press("escape")
        await back(screen)


@pytest.mark.asyncio
async def test_a_token_comes_in(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("r")
        await fill(screen, "cashuBold", "ab12")
        await seen(screen, "Received 21 sat.")
        (asked,) = node.called("wallet.receive")
        assert asked == {"token": "cashuBold", "preimage": "ab12", "allow_new_mint": False}


@pytest.mark.asyncio
async def test_a_token_of_an_unknown_mint_asks_first(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("r")
        await fill(screen, "cashuBnew", "")
        await agree(screen, "A mint you do not use yet")
        await screen.until(lambda: len(node.called("wallet.receive")) == 2, "received")
        assert node.called("wallet.receive")[1]["allow_new_mint"] is True


@pytest.mark.asyncio
async def test_keys_and_shared_tokens(folder: Path, node: ScriptedNode) -> None:
    del node
    async with mints(folder) as screen:
        await screen.press("k")
        await screen.dialog("TextScreen")
        assert "02abab" in screen.seen()
        await screen.press("escape")
        await back(screen)
        screen.app.perform("cosign")
        await fill(screen, "cashuBhalf")
        await screen.dialog("TextScreen")
        assert "cashuBsigned" in screen.seen()


@pytest.mark.asyncio
async def test_payment_requests(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("i")
        await fill(screen, "9", "tea")
        await screen.dialog("TextScreen")
        assert "creqApXF0" in screen.seen()
        (asked,) = node.called("wallet.request")
        assert (asked["amount_sat"], asked["description"]) == (9, "tea")
        await screen.press("escape")
        await back(screen)
        await screen.press("y")
        await fill(screen, "creqAx", "")
        await agree(screen, "Pay what it asks for?")
        await screen.dialog("TokenScreen")
        assert "could not be delivered" in screen.seen()
        await screen.press("escape")
        await back(screen)
        node.state["wallet.request.pay"] = {"amount_sat": 9, "delivered": True}
        await screen.press("y")
        await fill(screen, "creqAx", "9")
        await agree(screen, "Pay 9 sat?")
        await seen(screen, "the token was delivered")


# -- upkeep


@pytest.mark.asyncio
async def test_a_mint_is_looked_at_before_it_is_trusted(folder: Path, node: ScriptedNode) -> None:
    node.failures["wallet.mints.add"] = WalletError("mint_unreachable", "No mint answers there.")
    async with mints(folder) as screen:
        await screen.press("a")
        await fill(screen, "https://m.example")
        await screen.dialog("ConfirmScreen")
        assert not node.called("wallet.mints.add")
        await agree(screen, "Fresh mint")
        await seen(screen, "No mint answers there.")


@pytest.mark.asyncio
async def test_fresh_coins(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        await screen.press("w")
        await pick_first(screen)
        await agree(screen, "Swap 4,096 sat at Demo mint?")
        await seen(screen, "Swapped 4,095 sat.")
        assert node.called("wallet.swap") == [{"mint": DEMO_MINT}]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.asyncio
async def test_the_privacy_policy_with_its_cost(
    folder: Path, node: ScriptedNode, size: tuple[int, int]
) -> None:
    async with mints(folder, size) as screen:
        await screen.press("g")
        await screen.dialog("FormScreen")
        for words in ("What keeps a mint from linking", "up to 2.5 times more", "Cancel"):
            assert words in screen.seen(), words
        await screen.press("backspace", "backspace", *"60", "enter")
        await screen.press("enter", "backspace", "backspace", "backspace", *"no")
        for _ in range(5):
            await screen.press("enter")
        for word in ("when-offered", "50"):
            await screen.press(*["backspace"] * 4, *word, "enter")
        await screen.until(lambda: bool(node.called("wallet.policy.set")), "set")
        (asked,) = node.called("wallet.policy.set")
        assert (asked["rest_min_s"], asked["rest_max_s"], asked["round_up"]) == (60, 180, False)
        assert (asked["spread"], asked["ahead"], asked["even_percent"]) == (1, 0, 0)
        assert (asked["lock_chunks"], asked["max_chunk_sat"]) == ("when-offered", 50)


@pytest.mark.asyncio
async def test_a_mint_is_forgotten(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        screen.app.perform("forget_mint")
        await screen.dialog("PickScreen")
        await screen.press("enter")
        await agree(screen, "It can be added again at any time.")
        await seen(screen, "is off the list.")
        (asked,) = node.called("wallet.mints.forget")
        assert asked["url"] in (DEMO_MINT, OTHER_MINT)


@pytest.mark.asyncio
async def test_resting_coins_are_woken(folder: Path, node: ScriptedNode) -> None:
    del node
    async with mints(folder) as screen:
        screen.app.perform("wake")
        await agree(screen, "how fresh they are")
        await seen(screen, "128 sat may be spent now.")


@pytest.mark.asyncio
async def test_restoring_shows_how_far_it_is(folder: Path, node: ScriptedNode) -> None:
    node.state["restored"] = {}
    async with mints(folder) as screen:
        screen.app.perform("restore")
        await agree(screen, "Restore from the seed?")
        await screen.dialog("RestoreScreen")
        await seen(screen, "0 of 2 accounts answered.")
        node.state["restored"][DEMO_MINT] = 64
        await seen(screen, "✓ Demo mint: 64 sat")
        assert "1 of 2 accounts" in screen.seen()
        node.state["restored"][OTHER_MINT] = "It gave no answer."
        await seen(screen, ": It gave no answer.")
        await seen(screen, "Done. 64 sat were found.")
        assert "1 of 2 accounts" in screen.seen()


@pytest.mark.asyncio
async def test_a_restore_that_fails_says_so(folder: Path, node: ScriptedNode) -> None:
    node.failures["wallet.restore"] = WalletError("mint_unreachable", "No mint answers.")
    async with mints(folder) as screen:
        screen.app.perform("restore")
        await agree(screen)
        await seen(screen, "No mint answers.")


@pytest.mark.asyncio
async def test_the_seed_words_are_behind_a_question(folder: Path, node: ScriptedNode) -> None:
    async with mints(folder) as screen:
        screen.app.perform("seed")
        await screen.dialog("ConfirmScreen")
        assert not node.called("wallet.seed")
        await screen.press("n")
        await back(screen)
        assert not node.called("wallet.seed")
        screen.app.perform("seed")
        await agree(screen)
        await screen.dialog("WordsScreen")
        for words in ("  1  word1", " 12  word12"):
            assert words in screen.seen()
        await screen.press("escape")
        await back(screen)
        assert "word1" not in screen.seen()


def test_every_deed_is_an_action_and_has_a_key_of_its_own() -> None:
    actions = [action for action in ACTIONS if action.group == "mints"]
    deeds = {name.removeprefix("do_") for name in dir(MintsPane) if name.startswith("do_")}
    assert {action.name for action in actions} == deeds
    keys = [key for action in actions for key in action.keys]
    assert len(keys) == len(set(keys))
