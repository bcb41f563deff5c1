"""A proxy between the wallet and the real mint loses, cuts and corrupts: nothing is lost.

The four losses of a well-known wallet (lost swap answer, lost mint answer, lost send, lost melt
answer) are the first four tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.helpers import mint_proxy
from tests.helpers.mint import RealMint
from tests.helpers.mint_proxy import MintProxy
from tests.wallet.support import SESSION, a_wallet, available, fund, not_available, open_store
from wallet.errors import MintLied, MintProblem, MintUnreachable, WalletError
from wallet.executor import ATTEMPTS
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]
LOSSES = ["lose_answer", "cut_body", "lose_request"]


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_answer_to_a_receive(tmp_path: Path, proxy: MintProxy, loss: str) -> None:
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice:
        token = await alice.send(proxy.url, 64)
        proxy.fault(loss, "/v1/swap")
        assert await alice.receive(token) == 64
        assert await available(alice) == 64


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_answer_to_a_mint(tmp_path: Path, proxy: MintProxy, loss: str) -> None:
    async with a_wallet(tmp_path, "a", proxy.url) as alice:
        proxy.fault(loss, "/v1/mint/bolt11")
        assert await fund(alice, proxy.url, 64) == 64
        assert await fund(alice, proxy.url, 8) == 8  # and minting goes on
        assert await available(alice) == 72


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_answer_to_a_send(
    tmp_path: Path, proxy: MintProxy, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet.ecash.amounts.WANTED_EACH", 0)
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice:
        proxy.fault(loss, "/v1/swap")
        token = await alice.send(proxy.url, 33)
        assert await available(alice) == 31
        assert await alice.receive(token) == 33


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_answer_to_a_melt(
    tmp_path: Path, proxy: MintProxy, fee_mint: RealMint, loss: str
) -> None:
    async with a_wallet(tmp_path, "a", proxy.url, fee_mint.url, fund_sat=200) as alice:
        invoice = (await alice.request_mint(fee_mint.url, 100)).invoice
        quote = await alice.melt_quote(proxy.url, invoice)
        proxy.fault(loss, "/v1/melt/bolt11")
        result = await alice.melt(quote.quote_id)
        assert result.paid
        assert await available(alice) == 200 - 100 - result.fee_sat
        assert await not_available(alice) == 0


async def test_everything_lost_until_later(tmp_path: Path, proxy: MintProxy) -> None:
    """All attempts fail: the journal keeps it, and a later look finishes it."""
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice:
        token = await alice.send(proxy.url, 64)
        proxy.fault("lose_answer", "/v1/swap", times=ATTEMPTS)
        proxy.fault("lose_request", "/v1/restore", times=ATTEMPTS)
        with pytest.raises(MintUnreachable) as caught:
            await alice.receive(token)
        assert caught.value.kept
        assert await available(alice) == 0
        proxy.clear()
        (note,) = await alice.recover()
        assert (note.kind, note.outcome) == ("receive", "completed")
        assert await available(alice) == 64
        assert await alice.recover() == []


async def test_a_mint_that_is_down(tmp_path: Path, proxy: MintProxy) -> None:
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=100) as alice:
        payment = await alice.pay_prepare(proxy.url, 10)
        proxy.down = True
        with pytest.raises(MintUnreachable):
            await alice.request_mint(proxy.url, 5)
        with pytest.raises(MintUnreachable):
            await alice.pay_resolve(payment.id)
        (balance,) = await alice.balances()
        assert not balance.healthy
        assert balance.last_error
        assert balance.available_sat + balance.held_sat == 100
        assert (await alice.pay_prepare(proxy.url, 10)).amount_sat == 10  # needs no mint
        (note,) = await alice.recover()
        assert note.outcome == "waiting"
        proxy.down = False
        (note,) = await alice.recover()
        assert note.outcome == "reclaimed"
        (balance,) = await alice.balances()
        assert balance.healthy
        assert balance.latency_ms is not None


async def test_a_lost_answer_to_a_redeem(
    tmp_path: Path, proxy: MintProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet.ecash.amounts.WANTED_EACH", 0)
    store = await open_store(tmp_path, "ghost")
    ghost = Wallet(store)
    await ghost.open()
    await ghost.add_mint(proxy.url)
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=128) as alice:
        payment = await alice.pay_prepare(proxy.url, 50)
        proxy.fault("lose_answer", "/v1/swap")
        redeemed = await ghost.redeem(proxy.url, payment.proofs, 50, payment.outputs, SESSION)
        assert await alice.pay_settle(payment.id, redeemed.change) == 78
        assert await store.credits.get(SESSION) == 50_000
        slot = await alice.refund_outputs(proxy.url, 20)
        proxy.fault("lose_answer", "/v1/swap")
        change = await ghost.refund(proxy.url, 20, slot.outputs, SESSION)
        assert await alice.refund_settle(slot.id, change) == 20
        assert await store.credits.get(SESSION) == 30_000
        assert (await available(alice), await available(ghost)) == (98, 30)
    await ghost.aclose()
    await store.aclose()


@pytest.mark.parametrize(
    "lie",
    [
        mint_proxy.corrupt_point,
        mint_proxy.corrupt_dleq,
        mint_proxy.strip_dleq,
        mint_proxy.wrong_amounts,
        mint_proxy.wrong_keyset,
    ],
)
async def test_a_mint_that_lies(tmp_path: Path, proxy: MintProxy, lie: mint_proxy.Mutation) -> None:
    """A wrong signature is never stored; the right ones, when they come, are."""
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice:
        token = await alice.send(proxy.url, 64)
        proxy.fault("mutate", "/v1/swap", times=9, mutate=lie)
        proxy.fault("mutate", "/v1/restore", times=9, mutate=lie)
        with pytest.raises(MintLied) as caught:
            await alice.receive(token)
        assert caught.value.kept
        assert await available(alice) == 0
        (note,) = await alice.recover()
        assert note.outcome == "held"
        proxy.clear()
        (note,) = await alice.recover()
        assert note.outcome == "completed"
        assert await available(alice) == 64


async def test_a_lie_told_once_is_healed_by_restore(tmp_path: Path, proxy: MintProxy) -> None:
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice:
        token = await alice.send(proxy.url, 64)
        proxy.fault("mutate", "/v1/swap", mutate=mint_proxy.corrupt_point)
        assert await alice.receive(token) == 64


async def test_passing_refusals_are_tried_again(tmp_path: Path, proxy: MintProxy) -> None:
    """A 400 with code 0 is how the mint reports its locked database."""
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice:
        token = await alice.send(proxy.url, 64)
        locked = b'{"detail": "database is locked", "code": 0}'
        proxy.fault("status", "/v1/swap", status=400, body=locked)
        proxy.fault("status", "/v1/swap", status=503, body=b"")
        assert await alice.receive(token) == 64


async def test_a_mint_is_added_whole_or_not_at_all(tmp_path: Path, proxy: MintProxy) -> None:
    async with a_wallet(tmp_path, "a") as alice:
        for path in ("/v1/info", "/v1/keysets", "/v1/keys/"):
            proxy.fault("cut_body", path)
            with pytest.raises(MintProblem):
                await alice.add_mint(proxy.url)
            assert alice.mints() == []
        assert await alice.add_mint(proxy.url) == proxy.url


async def test_never_more_than_two_requests_at_once(tmp_path: Path, proxy: MintProxy) -> None:
    async with a_wallet(tmp_path, "a", proxy.url) as alice:
        holds = [proxy.fault("hold", "/v1/mint/quote") for _ in range(2)]
        before = proxy.count("/v1/mint/quote")
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(alice.request_mint, proxy.url, 1)
            for hold in holds:
                await trio.to_thread.run_sync(hold.reached.wait, 10)
            assert proxy.count("/v1/mint/quote") - before == 2
            for hold in holds:
                hold.release.set()
        assert proxy.count("/v1/mint/quote") - before == 6


async def test_many_receives_at_once(tmp_path: Path, real_mint: RealMint) -> None:
    async with (
        a_wallet(tmp_path, "a", real_mint.url, fund_sat=64) as alice,
        a_wallet(tmp_path, "b", real_mint.url) as bob,
    ):
        tokens = [await alice.send(real_mint.url, 4) for _ in range(8)]
        async with trio.open_nursery() as nursery:
            for token in tokens:
                nursery.start_soon(bob.receive, token)
        assert await available(bob) == 32


async def test_cancelled_in_the_middle(tmp_path: Path, proxy: MintProxy) -> None:
    """A caller that gives up leaves its operation to `recover`, in the same run."""
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=64) as alice:
        token = await alice.send(proxy.url, 64)
        hold = proxy.fault("hold", "/v1/swap")
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(alice.receive, token)
                await trio.to_thread.run_sync(hold.reached.wait, 10)
                scope.cancel()
        hold.release.set()
        (note,) = await alice.recover()
        assert note.outcome == "completed"
        assert await available(alice) == 64


async def test_cookies_are_refused(tmp_path: Path, proxy: MintProxy) -> None:
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=8):
        assert all("cookie" not in headers for headers in proxy.headers)


async def test_errors_hold_no_secrets(tmp_path: Path, proxy: MintProxy) -> None:
    async with a_wallet(tmp_path, "a", proxy.url, fund_sat=8) as alice:
        payment = await alice.pay_prepare(proxy.url, 8)
        proxy.down = True
        with pytest.raises(WalletError) as caught:
            await alice.pay_resolve(payment.id)
        words = str(caught.value.as_dict())
        assert not any(proof.secret in words for proof in payment.proofs)
