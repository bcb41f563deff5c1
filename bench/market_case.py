"""One session of the market simulation: a client's questions to a ghost, with what goes wrong.

The case notes what the client paid and what it accepted as its price; `bench.market_books` holds
that against the stores.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from bench.market_cheats import CLIENT_TRICKS
from bench.market_client import Asker, Paid, Purse, session_name
from bench.market_road import Circuit, End
from bench.market_trick import CLIENT, GHOST, Honest, Trick
from bench.market_tricks import GHOST_TRICKS
from bench.market_world import CHUNK_MSAT, MODEL, Host, Party, World, now
from engine.errors import CircuitClosed, Peer2PromptError
from engine.market.convert import proofs_of
from engine.session.client import AskSession
from engine.session.vault import SavedSession, SessionVault
from engine.wire import session as wire
from wallet import accounts
from wallet.ecash import tokens
from wallet.errors import WalletError

STALL_S = 15.0
LONGEST_S = 900.0


@dataclass
class Case:
    """One session; its fate follows from `rng`."""

    number: int
    world: World
    client: Party
    host: Host
    rng: random.Random
    crashes: int
    """How often the ghost had crashed when the session began."""
    payments: list[Paid] = field(default_factory=list)
    slots: list[str] = field(default_factory=list)
    stake_msat: int = CHUNK_MSAT
    """What may be at stake: a chunk, or what the client's rules say of the beginning of a question
    that is dearer."""
    accepted_msat: int = 0
    """What answers were worth by the meter that the client followed while it paid, or their bill
    where that is more: what it gets back at the end is credit."""
    billed_msat: int = 0
    unfinished_msat: int = 0
    """What text that came without a bill was worth by the client's meter."""
    answers: int = 0
    errors: list[str] = field(default_factory=list)
    saved: SavedSession | None = None
    cuts: int = 0

    def __post_init__(self) -> None:
        kinds: Sequence[type[Trick]] = self.rng.choice(((Honest,), GHOST_TRICKS, CLIENT_TRICKS))
        identity = self.host.identity
        trick = self.rng.choice(self.world.setting.tricks or kinds)
        self.trick = trick(self._fork(), identity.public, identity.sign)
        self.trick.on_pay = self._hear_of
        self.rough = self.rng.random() < 0.5
        """Whether circuits are cut and processes die."""
        self.questions = self.rng.choice((1, 1, 2, 3))
        self.settles = self.rng.random() < 0.7

    def _fork(self) -> random.Random:
        return random.Random(self.rng.random())

    @property
    def honest_client(self) -> bool:
        return self.trick.side != CLIENT

    @property
    def honest_ghost(self) -> bool:
        return self.trick.side != GHOST

    @property
    def host_crashed(self) -> bool:
        """Then what the ghost had not billed is free, by its own rule."""
        return self.host.crashes > self.crashes

    def _hear_of(self, pay: wire.Pay) -> None:
        if self.rng.random() < 0.5:
            self.world.nursery.start_soon(self._steal, pay)

    async def _steal(self, pay: wire.Pay) -> None:
        """The accomplice spends the coins, first or last."""
        await trio.sleep(self.rng.choice((0.0, 0.01, 0.1, 1.0, 30.0)))
        token = tokens.encode_v4(accounts.token(pay.mint, proofs_of(pay), ""))
        try:
            await self.world.thief.wallet.receive(token)
        except WalletError:
            return

    # -- the way ---------------------------------------------------------------------------------

    async def open_stream(self) -> End:
        await trio.sleep(self.rng.uniform(0.01, 0.3))
        if self.trick.gone or (self.rough and self.rng.random() < 0.05):
            raise CircuitClosed("The simulation gave no circuit.")
        left = self.rng.randrange(1, 9_000) if self.rough and self.rng.random() < 0.6 else None
        self.cuts += left is not None
        circuit = Circuit(self.host.identity.node_id, left, keeps=self.rng.random() < 0.5)
        if not isinstance(self.trick, Honest):
            circuit.client.rewrite = self.trick.client_says
            circuit.ghost.rewrite = self.trick.ghost_says
        self.trick.circuit = circuit
        self.host.serve(circuit)
        return circuit.client

    # -- the client ------------------------------------------------------------------------------

    async def run(self) -> None:
        """The session, to its end or to the client's."""
        if self.trick.double_spends == "twin":
            await self._run_twins()
            return
        asker = self._asker()
        lives_s = self.rng.uniform(0.1, 20.0) if self.rough and self.rng.random() < 0.3 else 1e6
        with trio.move_on_after(lives_s) as life:
            async with trio.open_nursery() as nursery:
                if self.rough and self.rng.random() < 0.2:
                    nursery.start_soon(self._crash_host)
                await self._talk(asker)
                nursery.cancel_scope.cancel()
        self.saved = asker.saved
        self.unfinished_msat += asker.unfinished_msat()
        if life.cancelled_caught:
            self.errors.append("died")
        if self.saved is not None and self.trick.steals_change:
            self.host.robs.discard(self.hash)

    async def _run_twins(self) -> None:
        """The same coins to two ghosts at once: each payment of one is handed to the other too."""
        other = next(host for host in self.world.hosts if host is not self.host)
        purse = Purse(self)
        async with trio.open_nursery() as nursery:
            for host in (self.host, other):
                nursery.start_soon(self._twin, host, purse)

    async def _twin(self, host: Host, purse: Purse) -> None:
        async def open_stream() -> End:
            await trio.sleep(0.05)
            circuit = Circuit(host.identity.node_id)
            host.serve(circuit)
            return circuit.client

        asker = AskSession(open_stream, purse, self.client.store, now=now, stall_s=STALL_S)
        self.world.provider.plan(self.number, fails=False)
        content = f"{self.number} {self.world.hosts.index(host)} twin"
        try:
            await asker.ask([{"role": "user", "content": content}], MODEL)
            await asker.settle()
        except (Peer2PromptError, WalletError) as error:
            self.errors.append(error.code)
        await asker.aclose()

    async def _crash_host(self) -> None:
        await trio.sleep(self.rng.uniform(0.1, 15.0))
        await self.host.crash()

    async def _talk(self, asker: Asker) -> None:
        for turn in range(self.questions):
            filler = self.rng.choice((0, 0, 200, 1_200, 3_000))
            self.world.provider.plan(self.number, fails=self.honest_client, filler=filler)
            await self._ask(asker, f"{self.number} {turn} " + "x" * filler)
            await trio.sleep(self.rng.uniform(0, 2))
        if self.settles:
            try:
                await asker.settle()
            except (Peer2PromptError, WalletError) as error:
                self.errors.append(error.code)
        await asker.aclose()

    async def _ask(self, asker: Asker, content: str) -> None:
        self.trick.wants_cancel = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel, asker)
            try:
                await asker.ask([{"role": "user", "content": content}], MODEL)
                self.answers += 1
            except (Peer2PromptError, WalletError) as error:
                self.errors.append(error.code)
            nursery.cancel_scope.cancel()

    async def _cancel(self, asker: Asker) -> None:
        """The user, or a cheat, changes its mind."""
        deaf = self.trick.name == "ReadsNothing"
        after = self.rng.uniform(0.0, 10.0) if deaf or self.rng.random() < 0.1 else 1e9
        with trio.move_on_after(after):
            await self.trick.wants_cancel.wait()
        await asker.cancel()
        if self.trick.circuit is not None:
            self.trick.circuit.client.hear()

    def _asker(self, saved: SavedSession | None = None) -> Asker:
        return Asker(
            self.open_stream,
            Purse(self),
            self.client.store,
            case=self,
            saved=saved,
            now=now,
            stall_s=STALL_S,
        )

    @property
    def hash(self) -> bytes:
        """The session's name in the ghost's books."""
        assert self.saved is not None
        return session_name(self.saved)

    async def come_back(self) -> None:
        """A later process gets the credit back, when there is a ghost to ask and time to do so."""
        if self.trick.side or self.saved is None:
            return
        self.rough = False
        for saved in await SessionVault(self.client.store).load_all():
            if saved.session != self.saved.session:
                continue
            asker = self._asker(saved)
            try:
                await asker.settle()
            except (Peer2PromptError, WalletError) as error:
                self.errors.append(f"late {error.code}")
            await asker.aclose()
