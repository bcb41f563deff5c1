"""The half of a node that others connect to: links, circuits, directory, DHT, and its duties.

Relay, ghost, mailboxes and exits to mints can be taken up and laid down while it runs; `use` tells
it which. It decides nothing about when, and knows nothing of the asking half.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from engine.acquaintance import Acquaintance
from engine.circuit.exits import MintExit
from engine.circuit.key_keeper import KeyKeeper
from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.crypto.keys import x25519_generate
from engine.crypto.replay import SECRET_BYTES
from engine.dht_role import DhtRole
from engine.directory.dialback import DialBack
from engine.directory.work import OwnWork
from engine.directory_role import ServingDirectory
from engine.ghost_part import GhostPart
from engine.identity import Identity
from engine.log import say
from engine.log.events import CircuitFaulted
from engine.log.words import Fault
from engine.parts import Part, wait_while
from engine.relay_role import KnownRelays, RelayRole
from engine.standing import Standing
from engine.wire.advert import COMMITMENT_BYTES, MAX_SKEW_S
from engine.wire.frames import Purpose
from engine.wire.sheet import commitment
from wallet.store import Store

if TYPE_CHECKING:
    from engine.exit.policy import GhostTerms


class Serving:
    """Everything a relay or ghost is. `run` it; `relay` and the rest are there once it serves."""

    def __init__(
        self,
        config: NodeConfig,
        identity: Identity,
        store: Store,
        people: Acquaintance,
        bus: EventBus,
    ) -> None:
        self.ghost: GhostPart | None = None
        self.standing: Standing | None = None
        self.dht: DhtRole | None = None
        self.relay: RelayRole
        self.directory: ServingDirectory
        self._config = config
        self._identity = identity
        self._store = store
        self._people = people
        self._bus = bus
        self._exit = MintExit(config.mint_hosts)
        self._dht_part: Part | None = None
        self._nursery: trio.Nursery

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; reports started once it listens. Raises ConfigError, AddressInUse
        and what a ghost's parts raise."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await self._begin(nursery)
            task_status.started()

    async def _begin(self, nursery: trio.Nursery) -> None:
        config, store = self._config, self._store
        if "ghost" in config.roles:
            self.ghost = await self._start_ghost()
        keeper = await KeyKeeper.open(
            config.home,
            await store.get_secret("relay", "onion_keys"),
            await load_secret(store, "relay", "replays", lambda: os.urandom(SECRET_BYTES)),
            lambda data: store.put_secret("relay", "onion_keys", data),
        )
        sheet = self.ghost.sheet if self.ghost is not None else b""
        self.relay = RelayRole(
            config,
            self._identity,
            await load_secret(store, "relay", "link_static", x25519_generate),
            keeper,
            {},
            on_fault=lambda error: say(CircuitFaulted(Fault.of(error))),
            is_relay=KnownRelays(self._people.relays),
            work=await self._own_work(),
            sheet_commitment=_commitment(sheet),
            published=self._last_published(),
        )
        self._serve_directory(sheet)
        self._serve_mints()
        if self.ghost is not None:
            self._serve_sessions(self.ghost)
        await nursery.start(self.relay.run)
        if self.standing is not None:
            nursery.start_soon(self.standing.run)
            nursery.start_soon(self._take_part, self.standing)

    def _last_published(self) -> int:
        """When the advert was made that others may still have of an earlier run."""
        known = self._people.relays.get(self._identity.node_id)
        soon = time.time() + MAX_SKEW_S
        return known.published if known is not None and known.published <= soon else 0

    async def _own_work(self) -> OwnWork:
        store = self._store
        work = OwnWork(
            self._identity.node_id,
            self._config.network.work_bits,
            await store.get_secret("identity", "work"),
            save=lambda data: store.put_secret("identity", "work", data),
        )
        await work.ensure(int(time.time()))
        return work

    # -- directory and DHT ---------------------------------------------------------------------

    def _serve_directory(self, sheet: bytes) -> None:
        config, relay = self._config, self.relay
        self.directory = ServingDirectory(
            self._people,
            relay.links,
            self._identity.node_id,
            relay.advert,
            sheet=sheet,
            listed=config.ghost is None or config.ghost.listed,
        )
        self._answer(Purpose.DIRECTORY, self.directory.service.serve)
        if config.advertise is not None:
            self.standing = Standing(
                relay.links,
                self._people.relays,
                DialBack(relay.links, relay.may_dial),
                config.advertise,
                self._identity.node_id,
                tested=not config.network.test,
                meet=self.directory.bootstrap.run,
                advertise=relay.advertise,
                hide=self._hide,
            )

    def _hide(self, hidden: bool) -> None:
        """Others cannot get in (any more, or again): the advert says so at once."""
        self.relay.hide(hidden)
        self.directory.renew()

    async def _take_part(self, standing: Standing) -> None:
        """In the directory and the DHT, as soon as there is an address to be found at."""
        await standing.known.wait()
        self._dht_part = await Part.start(self._nursery, self._run_dht)
        await self.directory.run()

    async def _run_dht(self, *, task_status: trio.TaskStatus[None]) -> None:
        config, relay = self._config, self.relay
        self.dht = DhtRole(
            relay,
            self._people.relays,
            self._identity,
            config.network,
            serves="relay" in config.roles,
            models=self.ghost.models if self.ghost is not None else (),
            clock=relay.keeper.clock.now,
        )
        self._answer(Purpose.LOOKUP, self.dht.lookups.serve if self.dht.lookups else None)
        task_status.started()
        await self.dht.run()

    # -- duties --------------------------------------------------------------------------------

    async def use(self, config: NodeConfig, *, wait_s: float) -> None:
        """Have these roles from now on. What runs for a role that is gone may end within `wait_s`
        seconds, then it is ended. Raises what a part that cannot start raises; the old roles stay
        then."""
        old, self._config = self._config, config
        if "ghost" in config.roles and self.ghost is None:
            try:
                self.ghost = await self._start_ghost()
            except BaseException:
                self._config = old
                raise
            self._serve_sessions(self.ghost)
        if config.mint_hosts != old.mint_hosts:
            before, self._exit = self._exit, MintExit(config.mint_hosts)
            self._serve_mints()
        else:
            before = self._exit
        await self.relay.use(config)
        self._offer(config)
        with trio.move_on_after(wait_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.relay.settle)
                if before is not self._exit:
                    nursery.start_soon(wait_while, lambda: before.open)
                if "ghost" not in config.roles and self.ghost is not None:
                    nursery.start_soon(self.ghost.drain)
        await self._close_gone()
        if ("relay" in old.roles) != ("relay" in config.roles) and self._dht_part is not None:
            await self._dht_part.end()
            self._dht_part = await Part.start(self._nursery, self._run_dht)

    async def _close_gone(self) -> None:
        await self.relay.close_gone()
        if "ghost" not in self._config.roles and self.ghost is not None:
            self._answer(Purpose.SESSION, None)
            ghost, self.ghost = self.ghost, None
            await ghost.end()

    def _offer(self, config: NodeConfig) -> None:
        """Advert, sheet and DHT say what is offered from now on."""
        sheet = self.ghost.sheet if self.ghost is not None and "ghost" in config.roles else b""
        self.relay.offer(_commitment(sheet))
        self.directory.offer(sheet)
        if self.dht is not None:
            self.dht.offer(self.ghost.models if sheet and self.ghost is not None else ())

    async def _start_ghost(self) -> GhostPart:
        ghost = GhostPart(self._config, self._identity, self._store, self._bus)
        await ghost.start(self._nursery)
        return ghost

    def _serve_sessions(self, ghost: GhostPart) -> None:
        ghost.role.service.mail_by(self.relay.reply_sender())
        ghost.role.desk.on_offer = self._terms_changed
        self._answer(Purpose.SESSION, ghost.serve_session)

    def _terms_changed(self, terms: GhostTerms) -> None:
        if self.ghost is not None:
            self.ghost.role.service.serve_by(terms)
            self._offer(self._config)

    def _serve_mints(self) -> None:
        self._answer(Purpose.TCP, self._exit.serve if self._config.mint_hosts else None)

    def _answer(self, purpose: Purpose, handler: Callable[..., object] | None) -> None:
        """Streams of this purpose go to the handler; with None they are refused."""
        handlers = dict(self.relay.core.handlers)
        handlers.pop(purpose, None)
        if handler is not None:
            handlers[purpose] = handler  # type: ignore[assignment]
        self.relay.core.handlers = handlers

    # -- the end -------------------------------------------------------------------------------

    @property
    def busy(self) -> tuple[int, int]:
        """Answers that run here, and circuits through or to this node."""
        return self.ghost.answers if self.ghost is not None else 0, len(self.relay.core.circuits)

    def close_door(self) -> None:
        """Take no new circuits from now on."""
        self.relay.core.draining = True

    async def drain(self) -> None:
        """Say that the node leaves, and let what is under way come to an end; bounded by the
        caller, who calls `finish` then."""
        self.close_door()
        self.relay.leave()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.directory.withdraw)
            if self.ghost is not None:
                nursery.start_soon(self.ghost.drain)
        await self.relay.core.drain()

    async def finish(self) -> None:
        """End every circuit now; bounded."""
        await self.relay.core.finish()


def _commitment(sheet: bytes) -> bytes:
    return commitment(sheet) if sheet else bytes(COMMITMENT_BYTES)


async def load_secret(store: Store, ns: str, key: str, make: Callable[[], bytes]) -> bytes:
    """A secret of the store, made when it is not there."""
    saved = await store.get_secret(ns, key)
    if saved is None:
        saved = make()
        await store.put_secret(ns, key, saved)
    return saved
