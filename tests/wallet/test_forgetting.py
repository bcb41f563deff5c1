"""A mint leaves the list only when nothing of ours is, or may come to be, there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.wallet.fake_mint import FakeMint
from tests.wallet.support import a_wallet, available, fund
from tests.wallet.test_quotes import ONE, TWO, Two
from wallet.errors import MintProblem, UntrustedMint, WalletError
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]


async def refused(wallet: Wallet, url: str, why: str) -> None:
    with pytest.raises(MintProblem, match=why):
        await wallet.forget_mint(url)
    assert url in wallet.mints()


async def test_a_mint_that_holds_nothing_is_forgotten(tmp_path: Path) -> None:
    both = Two()
    async with a_wallet(tmp_path, "a", ONE, TWO, transport=both, fund_sat=64) as alice:
        with pytest.raises(UntrustedMint):
            await alice.forget_mint("http://three.test")
        assert await alice.forget_mint(f"{TWO}/") == TWO
        assert alice.mints() == [ONE]
        with pytest.raises(UntrustedMint):
            await fund(alice, TWO, 5)
        assert [row.url for row in await alice.balances()] == [ONE]
        again = Wallet(alice._store, lambda _url: both)
        await again.open()
        assert again.mints() == [ONE]
        await again.aclose()


async def test_one_with_anything_of_ours_stays(tmp_path: Path) -> None:
    both = Two()
    other = both.mints["two.test"]
    async with (
        a_wallet(tmp_path, "a", ONE, TWO, transport=both) as alice,
        a_wallet(tmp_path, "b", TWO, transport=both) as bob,
    ):
        quote = await alice.request_mint(TWO, 21)
        await refused(alice, TWO, "may still be paid")
        assert await alice.complete_mint(quote.quote_id, TWO) == 21
        await refused(alice, TWO, "ecash of yours")
        token = await alice.send(TWO, 21)
        await refused(alice, TWO, "wait to be taken")
        other.faults = lambda path: "lose_answer" if path == "/v1/swap" else _down(path)
        with pytest.raises(WalletError):
            await alice.receive(token)
        await refused(alice, TWO, "not at its end")
        other.faults = lambda _path: ""
        await alice.recover()
        token = await alice.send(TWO, 21)
        assert await bob.receive(token) == 21
        (sent, *_) = await alice.sent_tokens()
        assert (await alice.sent.check(sent.op_id)).state == "taken"
        await alice.forget_mint(TWO)
        with pytest.raises(UntrustedMint):
            await alice.receive(await bob.send(TWO, 5))


def _down(path: str) -> str:
    return "lose_answer" if path in ("/v1/checkstate", "/v1/restore") else ""


async def test_added_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its counters are kept, so no secret is shown a second time."""
    both = Two()
    async with a_wallet(tmp_path, "a", ONE, transport=both, fund_sat=64) as alice:
        token = await alice.send(ONE, 64)
        async with a_wallet(tmp_path, "b", ONE, transport=both) as bob:
            await bob.receive(token)
        (sent,) = await alice.sent_tokens()
        await alice.sent.check(sent.op_id)
        await alice.forget_mint(ONE)
        await alice.add_mint(ONE)
        assert await fund(alice, ONE, 40) == 40, "a counter used twice is refused by the mint"
        assert await available(alice) == 40


@pytest.mark.parametrize("at", ["/v1/keysets", "/v1/info"])
async def test_forgotten_while_it_is_asked(tmp_path: Path, fake_mint: FakeMint, at: str) -> None:
    async with a_wallet(tmp_path, "a", ONE, transport=fake_mint) as alice:
        await alice._store.run(lambda tx: tx.mints.remove(ONE))
        fake_mint.before = lambda path: alice._mints.drop(ONE) if path == at else None
        with suppress(UntrustedMint):
            await alice.refresh_mint(ONE)
        fake_mint.before = None
        assert alice.mints() == []
        assert await alice._store.run(lambda tx: tx.mints.get(ONE)) is None
        await alice.add_mint(ONE)
        assert await fund(alice, ONE, 5) == 5
