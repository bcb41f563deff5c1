"""A whole session with real wallets, encrypted stores and a real mint: every sat adds up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from engine.exit.policy import GhostTerms
from engine.exit.service import GhostService
from engine.identity import Identity
from engine.session import payer as payer_module
from engine.session.client import AskSession
from engine.session.vault import SessionVault
from engine.wire.quote import ModelOffer
from tests.helpers.market_fakes import MemoryStream, ScriptedBackend, stream_pair
from tests.helpers.market_world import HI, MODEL
from tests.helpers.mint import RealMint, mint_available
from tests.helpers.mint_proxy import MintProxy
from wallet.policy import Policy
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

pytestmark = [
    pytest.mark.trio,
    pytest.mark.skipif(not mint_available(), reason="the mint's environment is not built"),
]
FUNDS = 200


@pytest.fixture(scope="module")
def mint() -> Iterator[RealMint]:
    with RealMint(input_fee_ppk=0) as running:
        yield running


@dataclass
class Party:
    store: Store
    wallet: Wallet

    async def sat(self) -> int:
        return sum(
            row.available_sat + row.reserved_sat + row.held_sat
            for row in await self.wallet.balances()
        )

    async def reserved(self) -> int:
        return sum(row.reserved_sat + row.held_sat for row in await self.wallet.balances())


@asynccontextmanager
async def party(path: Path, *mints: RealMint | MintProxy, funds: int) -> AsyncIterator[Party]:
    """A wallet with `funds` at each of the mints."""
    key = KeyFile(path.with_suffix(".key"), create=True)
    async with await Store.open(path, key, create=True) as store:
        wallet = Wallet(store)
        await wallet.open()
        try:
            for mint in mints:
                await wallet.add_mint(mint.url)
                if funds:
                    quote = await wallet.request_mint(mint.url, funds)
                    await wallet.complete_mint(quote.quote_id)
            yield Party(store, wallet)
        finally:
            await wallet.aclose()


class Room:
    """A ghost that serves, and streams to it that a test can cut."""

    def __init__(self, nursery: trio.Nursery, ghost: GhostService, node_id: bytes) -> None:
        self.nursery = nursery
        self.ghost = ghost
        self.node_id = node_id
        self.streams: list[MemoryStream] = []

    async def open_stream(self) -> MemoryStream:
        client, ghost = stream_pair(self.node_id)
        self.streams.append(client)
        self.nursery.start_soon(self.ghost.serve_session, ghost)
        return client


@asynccontextmanager
async def room(
    earner: Party,
    mint: RealMint,
    backend: ScriptedBackend,
    mints: tuple[str, ...] = (),
    *,
    locked_only: bool = False,
) -> AsyncIterator[Room]:
    identity = Identity.generate()
    offer = ModelOffer.plain(MODEL, 10_000_000, 100_000_000, 1000)
    ghost = GhostService(
        identity=identity,
        wallet=earner.wallet,
        store=earner.store,
        backend=backend,
        terms=GhostTerms(
            (offer,),
            mints or (mint.url,),
            chunk_msat=10_000,
            cap_msat=500_000,
            locked_only=locked_only,
        ),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(ghost.run)
        yield Room(nursery, ghost, identity.node_id)
        nursery.cancel_scope.cancel()


async def test_a_session_with_real_ecash(tmp_path: Path, mint: RealMint) -> None:
    words = [f"word{index} " for index in range(150)]

    async def pace(_index: int) -> None:
        await trio.sleep(0.005)

    backend = ScriptedBackend(words, usage=(20, 150), gate=pace)
    async with (
        party(tmp_path / "payer.db", mint, funds=FUNDS) as payer,
        party(tmp_path / "ghost.db", mint, funds=0) as earner,
        room(earner, mint, backend) as ghost,
    ):
        with trio.fail_after(120):
            asker = AskSession(ghost.open_stream, payer.wallet, payer.store)
            await asker.open()
            result = await asker.ask(HI, MODEL)
            assert result.answer == "".join(words)
            ghost.streams[-1].cut()
            second = await asker.ask(HI, MODEL)
            assert second.answer == result.answer
            await asker.settle()
            assert await payer.sat() + await earner.sat() == FUNDS
            assert result.fees_msat == 0
            assert second.fees_msat == 0
            assert second.credit_msat < 1000
            cost = result.cost_msat + second.cost_msat
            assert await payer.sat() == FUNDS - -(-cost // 1000)
            assert await earner.store.credits.total_msat() == second.credit_msat
            stats = await ghost.ghost.stats()
            assert stats["total_msat"] == cost
            assert stats["answers"] == 2
            assert await payer.reserved() == 0
            assert await SessionVault(payer.store).load_all() == []
            await asker.aclose()


@pytest.mark.parametrize(("policy", "only"), [("when-offered", False), ("when-offered", True)])
async def test_a_session_with_locked_ecash(
    tmp_path: Path, mint: RealMint, policy: str, only: bool
) -> None:
    """Lots are made beside the answer; what is left of them stays the client's."""
    words = [f"word{index} " for index in range(150)]

    async def pace(_index: int) -> None:
        await trio.sleep(0.005)

    async with (
        party(tmp_path / "payer.db", mint, funds=FUNDS) as payer,
        party(tmp_path / "ghost.db", mint, funds=0) as earner,
        room(
            earner, mint, ScriptedBackend(words, usage=(20, 150), gate=pace), locked_only=only
        ) as ghost,
    ):
        with trio.fail_after(120):
            await payer.wallet.set_policy(Policy(lock_chunks=policy))
            asker = AskSession(ghost.open_stream, payer.wallet, payer.store)
            result = await asker.ask(HI, MODEL)
            assert result.answer == "".join(words)
            ghost.streams[-1].cut()
            second = await asker.ask([*HI, *HI], MODEL)
            assert second.answer == result.answer
            await asker.settle()
            assert await payer.sat() + await earner.sat() == FUNDS
            cost = result.cost_msat + second.cost_msat
            assert await payer.sat() == FUNDS - -(-cost // 1000)
            rows = await payer.store.run(lambda tx: tx.rows("SELECT secret FROM locked_coins"))
            assert rows, "some payments were made of locked coins, or lie ready"
            await asker.aclose()


async def test_a_killed_client_gets_its_credit_back(tmp_path: Path, mint: RealMint) -> None:
    async with (
        party(tmp_path / "payer.db", mint, funds=FUNDS) as payer,
        party(tmp_path / "ghost.db", mint, funds=0) as earner,
        room(earner, mint, ScriptedBackend()) as ghost,
    ):
        with trio.fail_after(120):
            asker = AskSession(ghost.open_stream, payer.wallet, payer.store)
            await asker.ask(HI, MODEL)
            while await payer.reserved():
                await asker.open()
            ghost.streams[-1].cut()
            (saved,) = await SessionVault(payer.store).load_all()
            later = AskSession(ghost.open_stream, payer.wallet, payer.store, saved=saved)
            assert await later.settle() == 9
            assert await payer.sat() == FUNDS - 1
            assert await payer.sat() + await earner.sat() == FUNDS


async def test_a_mint_that_is_down_keeps_everybodys_money(tmp_path: Path, mint: RealMint) -> None:
    async with (
        party(tmp_path / "payer.db", mint, funds=FUNDS) as payer,
        party(tmp_path / "ghost.db", mint, funds=0) as earner,
        room(earner, mint, ScriptedBackend()) as ghost,
    ):
        await trio.to_thread.run_sync(mint.stop)

        async def back_again() -> None:
            await trio.sleep(2)
            await trio.to_thread.run_sync(mint.start)

        ghost.nursery.start_soon(back_again)
        with trio.fail_after(120):
            asker = AskSession(ghost.open_stream, payer.wallet, payer.store)
            result = await asker.ask(HI, MODEL)
            assert result.answer == "Hello world"
            await asker.settle()
            assert await payer.sat() + await earner.sat() == FUNDS
            assert await payer.sat() == FUNDS - 1


async def test_a_mint_that_dies_in_an_answer_is_replaced_by_another(
    tmp_path: Path, mint: RealMint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both wallets lose the first mint: the second pays on, and the payment that was under way
    comes back, once, when the first answers again. (Two addresses of one mint are two mints to a
    wallet.)"""
    monkeypatch.setattr(payer_module, "RETRY_S", 0.01)
    words = [f"word{index} " for index in range(250)]
    with MintProxy(mint.url) as first, MintProxy(mint.url) as second:

        async def pace(index: int) -> None:
            first.down = first.down or index == 60
            await trio.sleep(0.005)

        backend = ScriptedBackend(words, usage=(20, 250), gate=pace)
        async with (
            party(tmp_path / "payer.db", first, second, funds=FUNDS) as payer,
            party(tmp_path / "ghost.db", first, second, funds=0) as earner,
            room(earner, mint, backend, (first.url, second.url)) as ghost,
        ):
            with trio.fail_after(240):
                asker = AskSession(ghost.open_stream, payer.wallet, payer.store)
                assert (await asker.ask(HI, MODEL)).answer == "".join(words)
                earned = {row.url: row.available_sat for row in await earner.wallet.balances()}
                assert earned[first.url] > 0
                assert earned[second.url] > 0
                await asker.settle()
                first.down = False
                await payer.wallet.recover()
                await earner.wallet.recover()
                assert await payer.reserved() == 0
                assert await payer.sat() + await earner.sat() == 2 * FUNDS
