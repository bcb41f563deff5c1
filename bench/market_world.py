"""One world of the market simulation: mints, ghosts, clients with real wallets on real stores.

Everything that may be honest is the program's own code: `AskSession`, `GhostService`, `Wallet`,
`Store`. A world follows from its seed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from bench.market_provider import Provider
from bench.market_road import Circuit
from bench.market_trick import Trick
from bench.market_weather import CLIMATES, Weather
from engine.exit.policy import GhostTerms
from engine.exit.service import GhostService
from engine.identity import Identity
from engine.wire.quote import ModelOffer
from tests.wallet.support import fund
from wallet.chunks import GRID_S, LOCK_S
from wallet.ecash.amounts import input_fee
from wallet.ecash.types import BlindSignature, Proof
from wallet.policy import Policy
from wallet.store import KeyFile, Store
from wallet.types import Redeemed
from wallet.wallet import Wallet

NOW = 1_800_000_000
URLS = ("http://one.mint.test", "http://two.mint.test")
MODEL = "m"
CHUNK_MSAT = 10_000
FUNDS_SAT = 1_500
FLOAT_SAT = 60
MINT_TIMEOUT_S = 8.0
LOCKS_S = LOCK_S + 2 * GRID_S


def now() -> float:
    """Unix time in the world."""
    return NOW + trio.current_time()


class Party:
    """A store with a wallet on it, which can be closed and opened like a process."""

    def __init__(self, path: Path, world: World, policy: Policy | None = None) -> None:
        self._path = path
        self._world = world
        self._policy = policy
        self.store: Store
        self.wallet: Wallet

    async def open(self) -> None:
        key = KeyFile(self._path.with_suffix(".key"), create=not self._path.exists())
        self.store = await Store.open(self._path, key, create=True, clock=now)
        await self._open_wallet()

    async def _open_wallet(self) -> None:
        self.wallet = Wallet(
            self.store, self._world.road, timeout_s=MINT_TIMEOUT_S, policy=self._policy
        )
        await self.wallet.open()

    async def restart_wallet(self) -> None:
        """What a new process knows: what is in the store."""
        await self.wallet.aclose()
        await self._open_wallet()

    async def fund(self, sat: int) -> None:
        for url in URLS:
            if url not in self.wallet.mints():
                await self.wallet.add_mint(url)
            if sat:
                await fund(self.wallet, url, sat)

    async def sat(self) -> int:
        return sum(
            row.available_sat + row.reserved_sat + row.held_sat
            for row in await self.wallet.balances()
        )

    async def aclose(self) -> None:
        await self.wallet.aclose()
        await self.store.aclose()


class Till:
    """The ghost's wallet, as its service sees it; a thief's takes the change of payments too."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host.party.wallet, name)

    async def redeem(
        self,
        url: str,
        proofs: Sequence[Proof],
        price_sat: int,
        blank_outputs: Sequence[bytes],
        credit_session: bytes,
        keyset_id: str | None = None,
    ) -> Redeemed:
        wallet, price = self._host.party.wallet, price_sat
        if credit_session in self._host.robs:
            fee = input_fee(self._host.fee_ppk for _ in proofs)
            price = max(price_sat, sum(proof.amount for proof in proofs) - fee)
        return await wallet.redeem(url, proofs, price, blank_outputs, credit_session, keyset_id)

    async def refund(self, *args: Any) -> list[BlindSignature]:
        return await self._host.party.wallet.refund(*args)


class Host:
    """A machine with a ghost on it, which may crash and come back."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.party = Party(world.folder / f"{name}.db", world)
        self.identity = Identity(bytes(world.rng.randbytes(32)))
        self.robs: set[bytes] = set()
        self.fee_ppk = world.fee_ppk
        self.crashes = 0
        self._nursery: trio.Nursery
        self._circuits: list[Circuit] = []
        self.service: GhostService

    async def start(self) -> None:
        self.service = GhostService(
            identity=self.identity,
            wallet=Till(self),
            store=self.party.store,
            backend=self.world.provider,
            terms=self.world.terms,
            now=now,
        )
        await self.world.nursery.start(self._run)

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._recover)
            await self.service.run(task_status=task_status)

    def serve(self, circuit: Circuit) -> None:
        """A circuit has come this far; nobody answers it while the process is down."""
        if self._nursery.cancel_scope.cancel_called:
            circuit.cut()
            return
        self._circuits.append(circuit)
        self._nursery.start_soon(self.service.serve_session, circuit.ghost)

    async def _recover(self) -> None:
        while True:
            await self.party.wallet.recover()
            await trio.sleep(15)

    async def crash(self) -> None:
        """All memory is gone; the store stays."""
        self.crashes += 1
        await self.stop()
        await self.party.restart_wallet()
        await self.start()

    async def stop(self) -> None:
        self._nursery.cancel_scope.cancel()
        for circuit in self._circuits:
            circuit.cut()
        self._circuits.clear()
        await trio.sleep(0.001)


@dataclass(frozen=True)
class Setting:
    """What a world has, whatever its seed says: where one way to lose money is looked at."""

    fee_ppk: int | None = None
    lock_chunks: str = ""
    tricks: tuple[type[Trick], ...] = ()


AS_DRAWN = Setting()


@dataclass
class World:
    """See the module."""

    seed: int
    folder: Path
    nursery: trio.Nursery
    lanes: int
    setting: Setting = AS_DRAWN
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        fee_ppk = self.rng.choice((0, 0, 0, 100))
        self.fee_ppk = fee_ppk if self.setting.fee_ppk is None else self.setting.fee_ppk
        self.climate = self.rng.choice(CLIMATES)
        self.provider = Provider(self.rng)
        self.mints = {url: Weather(self.fork(), url, self.fee_ppk) for url in URLS}
        offer = ModelOffer(
            MODEL, 10_000_000, 100_000_000, 400, 2_500_000, 100_000_000, max_hidden=20
        )
        self.terms = GhostTerms(
            models=(offer,),
            mints=URLS,
            chunk_msat=CHUNK_MSAT,
            cap_msat=1_000_000,
            resume_s=40.0,
        )
        self.offer = offer
        self.hosts = [Host(self, f"ghost{index}") for index in range(2)]
        locks = self.rng.choice(("off", "off", "when-offered", "always"))
        most = random.Random(f"dear {self.seed}").choice(
            (CHUNK_MSAT // 1000, 4 * CHUNK_MSAT // 1000)
        )
        policy = Policy(lock_chunks=self.setting.lock_chunks or locks, max_chunk_sat=most)
        self.clients = [
            Party(self.folder / f"client{n}.db", self, policy) for n in range(self.lanes)
        ]
        self.thief = Party(self.folder / "thief.db", self)

    def fork(self) -> random.Random:
        """Chances of their own for one part of the world."""
        return random.Random(self.rng.random())

    def road(self, url: str) -> Weather:
        """The transport to a mint."""
        return self.mints[url]

    @property
    def parties(self) -> list[Party]:
        return [*self.clients, self.thief, *(host.party for host in self.hosts)]

    async def open(self, stack: AsyncExitStack) -> None:
        """Open and fund everybody under a clear sky, then let the weather set in."""
        for party, sat in (
            *((client, FUNDS_SAT) for client in self.clients),
            (self.thief, 0),
            *((host.party, FLOAT_SAT) for host in self.hosts),
        ):
            await party.open()
            stack.push_async_callback(party.aclose)
            await party.fund(sat)
        for host in self.hosts:
            await host.start()
        for weather in self.mints.values():
            weather.mint.clock = now
            weather.set_in(self.climate)

    async def clear_up(self) -> None:
        """A clear sky, and time for the ghosts to bill who went away."""
        for weather in self.mints.values():
            weather.calm()
        await trio.sleep(4 * self.terms.resume_s)

    async def settle_down(self) -> None:
        """Every process started anew, every lock ended, every open operation at its end."""
        for host in self.hosts:
            await host.stop()
        await trio.sleep(LOCKS_S)
        for party in self.parties:
            await party.restart_wallet()
        for _ in range(6):
            for party in self.parties:
                await party.wallet.chunks.take_back_ended()
                await party.wallet.recover()
