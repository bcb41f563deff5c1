"""Tokens that were handed out: struck out when the mint says they are taken, taken back before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wallet.fake_mint import URL, FakeMint
from tests.wallet.support import a_wallet, available, fake_wallet, fund
from tests.wallet.test_second_look import seen_twice
from wallet.ecash.conditions import lock_to_keys
from wallet.errors import MintUnreachable, TokenInvalid, UnknownOperation

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]


async def test_a_taken_token_is_struck_out(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with (
        fake_wallet(tmp_path, "a", fake_mint, 100) as alice,
        fake_wallet(tmp_path, "b", fake_mint) as bob,
    ):
        await alice.send(URL, 21)
        (sent,) = await alice.sent_tokens()
        assert (sent.state, sent.left_sat) == ("waiting", 21)
        assert (await alice.sent.check(sent.op_id)).state == "waiting"
        await bob.receive(sent.token)
        assert (await alice.sent_tokens())[0].state == "waiting", "nobody has asked the mint"
        checked = await alice.sent.check_any()
        assert checked is not None
        assert (checked.state, checked.left_sat) == ("taken", 0)
        assert await alice.sent.check_any() is None
        asked = len(fake_mint.asked)
        with pytest.raises(TokenInvalid, match="taken by somebody"):
            await alice.sent.take_back(sent.op_id)
        assert len(fake_mint.asked) == asked
        assert await alice._store.run(lambda tx: tx.proofs.sent(sent.op_id)) == []
        assert await available(alice) + await available(bob) == fake_mint.outstanding == 100


async def test_a_token_is_taken_back(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 100) as alice:
        await alice.send(URL, 21)
        await alice.send(URL, 30)
        second, first = await alice.sent_tokens()
        assert await alice.sent.take_back(first.op_id) == 21
        assert await alice.receive(second.token) == 30
        assert [token.state for token in await alice.sent_tokens()] == ["returned", "returned"]
        with pytest.raises(TokenInvalid, match="back in the wallet"):
            await alice.sent.take_back(first.op_id)
        assert await available(alice) == fake_mint.outstanding == 100


async def test_somebody_was_faster(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with (
        fake_wallet(tmp_path, "a", fake_mint, 100) as alice,
        fake_wallet(tmp_path, "b", fake_mint) as bob,
    ):
        await bob.receive(await alice.send(URL, 21))
        (sent,) = await alice.sent_tokens()
        with pytest.raises(TokenInvalid):
            await alice.sent.take_back(sent.op_id)
        assert (await alice.sent_tokens())[0].state == "taken"
        assert await available(alice) == 79


async def test_a_token_that_is_asked_about_while_it_comes_back(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    """The mint says spent before the wallet has booked it: by itself, it is, and not by others."""
    async with fake_wallet(tmp_path, "a", fake_mint, 100) as alice:
        await alice.send(URL, 21)
        (sent,) = await alice.sent_tokens()
        answered = False

        def lose(path: str) -> str:
            nonlocal answered
            lost = path == "/v1/swap" or (answered and path == "/v1/restore")
            answered = answered or lost
            return "lose_answer" if lost else ""

        fake_mint.faults = lose
        with pytest.raises(MintUnreachable):
            await alice.receive(sent.token)
        fake_mint.faults = lambda _path: ""
        assert (await alice.sent.check(sent.op_id)).state == "returned"
        await alice.recover()
        assert await available(alice) == fake_mint.outstanding == 100


async def test_part_of_a_token_is_taken(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 100) as alice:
        await alice.send(URL, 21)
        (sent,) = await alice.sent_tokens()
        coins = await alice.sent.coins(sent.op_id)
        await alice.sent.strike_out(sent.op_id, sent.mint, coins[:1])
        (sent,) = await alice.sent_tokens()
        assert (sent.state, sent.left_sat) == ("waiting", 21 - coins[0].amount)


async def test_a_token_that_is_locked_to_others_stays(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with (
        fake_wallet(tmp_path, "a", fake_mint, 100) as alice,
        fake_wallet(tmp_path, "b", fake_mint) as bob,
    ):
        await alice.send(URL, 21, lock=lock_to_keys([await bob.lock_key()]))
        (sent,) = await alice.sent_tokens()
        with pytest.raises(TokenInvalid, match="cannot be taken"):
            await alice.sent.take_back(sent.op_id)
        assert (await alice.sent_tokens())[0].state == "waiting"


async def test_the_mint_is_asked_as_a_stranger_about_one_token_alone(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    """Tokens asked about together, or where the wallet is known, would be told to be its own."""
    async with seen_twice(tmp_path, fake_mint) as (wallet, stranger):
        await wallet.add_mint(URL)
        await fund(wallet, URL, 100)
        for _ in range(3):
            await wallet.send(URL, 5)
        usual = len(fake_mint.asked) - len(stranger.asked)
        stranger.asked.clear()
        fake_mint.bodies.clear()
        await wallet.sent.check_any()
        assert stranger.asked == ["/v1/checkstate"]
        assert len(fake_mint.asked) - len(stranger.asked) - usual <= 2, "only the stranger asked"
        (body,) = [body for body in fake_mint.bodies if "Ys" in body]
        assert len(body["Ys"]) == 2
        stranger.down = True
        with pytest.raises(MintUnreachable):
            await wallet.sent.check_any()
        assert [token.state for token in await wallet.sent_tokens()] == ["waiting"] * 3
        await wallet.aclose()


async def test_a_token_nobody_knows(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with a_wallet(tmp_path, "a", URL, transport=fake_mint, fund_sat=8) as alice:
        with pytest.raises(UnknownOperation):
            await alice.sent.check("nothing")
        (entry,) = await alice.history()
        with pytest.raises(UnknownOperation):
            await alice.sent.take_back(entry.op_id or "")


async def test_history_is_searched(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 100) as alice:
        await alice.send(URL, 21)
        assert [entry.amount_sat for entry in await alice.history(text="TOKEN")] == [-21]
        assert [entry.kind for entry in await alice.history(offset=1)] == ["mint"]
        assert len(await alice.history(mint=URL)) == 2
        assert await alice.history(mint="https://other") == []
        assert await alice.history(text="%") == []
