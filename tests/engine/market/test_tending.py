"""What a wallet does by itself, hour by hour on a virtual clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from engine.control.events import EventBus
from engine.market.tending import REFRESH_S, SENT_S, tend_wallet
from tests.helpers.virtual_time import threads_inline, virtual_clock
from tests.wallet.fake_mint import URL, FakeMint, Json, Refused
from tests.wallet.support import a_wallet, available, fund, open_store
from tests.wallet.test_quotes import ONE, TWO, Two
from wallet.policy import Policy
from wallet.wallet import Wallet

HOUR_S = 3600.0
Play = Callable[[Path], Awaitable[None]]


def by_the_hour(play: Play, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses are longer, so that a day of them is short."""
    monkeypatch.setattr("engine.market.tending.PAUSE_S", (1200.0, 1800.0))
    with threads_inline():
        trio.run(play, folder, clock=virtual_clock())


async def tended(wallet: Wallet, hours: float) -> None:
    """As long as this of tending."""
    with trio.move_on_after(hours * HOUR_S):
        await tend_wallet(wallet, EventBus())


def test_tokens_are_asked_about_rarely_and_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_the_hour(_tokens, tmp_path, monkeypatch)


async def _tokens(tmp_path: Path) -> None:
    mint = FakeMint()
    async with (
        a_wallet(tmp_path, "a", URL, transport=mint, fund_sat=100) as alice,
        a_wallet(tmp_path, "b", URL, transport=mint) as bob,
    ):
        for amount in (3, 4, 5):
            await bob.receive(await alice.send(URL, amount))
        mint.bodies.clear()
        await tended(alice, 0.9)
        assert [body for body in mint.bodies if "Ys" in body] == []
        await tended(alice, 12)
        asked = [body for body in mint.bodies if "Ys" in body]
        assert 12 * HOUR_S // SENT_S[1] - 1 <= len(asked) <= 3
        assert all(len(body["Ys"]) <= 2 for body in asked), "coins of one token each"
        await tended(alice, 24)
        assert {token.state for token in await alice.sent_tokens()} == {"taken"}


def test_a_mint_that_does_not_swap_old_coins_is_asked_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_the_hour(_refused, tmp_path, monkeypatch)


async def _refused(tmp_path: Path) -> None:
    mint = FakeMint()
    async with a_wallet(tmp_path, "a", URL, transport=mint, fund_sat=50) as alice:
        old = mint.keys
        mint.rotate()

        def leave_out(path: str, answer: Json) -> Json:
            if path == "/v1/keysets":
                answer["keysets"] = [k for k in answer["keysets"] if k["id"] != old.id]
            return answer

        def refuse(path: str) -> None:
            if path == "/v1/swap":
                raise Refused(12001, "keyset not known")

        mint.tamper, mint.before = leave_out, refuse
        await alice.refresh_mint(URL)
        mint.asked.clear()
        await tended(alice, REFRESH_S / HOUR_S - 0.1)
        assert mint.asked.count("/v1/swap") == 1
        assert await available(alice) == 50, "refused coins are still there"
        mint.before = None
        await tended(alice, 3 * REFRESH_S / HOUR_S)
        heaps = await alice._store.run(lambda tx: tx.proofs.heaps(URL))
        assert {keyset for _, keyset, _ in heaps} == {mint.keys.id}


def test_mints_are_evened_out_only_if_the_policy_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_the_hour(_evened, tmp_path, monkeypatch)


async def _evened(tmp_path: Path) -> None:
    both = Two()
    async with await open_store(tmp_path) as store:
        wallet = Wallet(store, lambda _url: both)
        await wallet.open()
        for url in (ONE, TWO):
            await wallet.add_mint(url)
        await fund(wallet, ONE, 1000)
        await tended(wallet, 20)
        assert [row.available_sat for row in await wallet.balances()] == [1000, 0]
        await wallet.set_policy(Policy(even_percent=20))
        await tended(wallet, 20)
        assert [row.available_sat for row in await wallet.balances()] == [499, 500]
        await wallet.aclose()


def test_a_mint_that_refuses_all_swaps_is_asked_for_coins_ahead_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_the_hour(_unready, tmp_path, monkeypatch)


async def _unready(tmp_path: Path) -> None:
    mint = FakeMint()
    async with a_wallet(tmp_path, "a", URL, transport=mint, fund_sat=50) as alice:

        def refuse(path: str) -> None:
            if path == "/v1/swap":
                raise Refused(12001, "out of order")

        mint.before = refuse
        await alice.set_policy(Policy(ahead=8, ahead_sat=3))
        await tended(alice, REFRESH_S / HOUR_S - 0.1)
        assert mint.asked.count("/v1/swap") == 1
        mint.before = None
        await tended(alice, 3 * REFRESH_S / HOUR_S)
        for _ in range(8):
            assert (await alice.pay_prepare(URL, 3)).change_due_sat == 0
