"""The two halves of a node that run now: the serving one and the asking one.

Starts, switches and ends them in the node's nursery. It decides nothing about when, and answers no
method of the control protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import trio

from engine.acquaintance import Acquaintance
from engine.asking_part import AskingPart
from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.control.server import Handler
from engine.directory.bootstrap import Bootstrap
from engine.draining import SETTLE_S
from engine.identity import Identity
from engine.parts import Part
from engine.serving import Serving
from wallet.store import Store

if TYPE_CHECKING:
    from engine.client_role import ClientRole
    from engine.dht_role import DhtRole
    from engine.directory_role import ServingDirectory
    from engine.exit.desk import Desk
    from engine.gateway.service import Gateway
    from engine.ghost_role import GhostRole
    from engine.relay_role import RelayRole
    from engine.standing import Standing
    from wallet.wallet import Wallet

_SERVING_ROLES = frozenset({"relay", "ghost"})


def serves(config: NodeConfig) -> bool:
    """Whether others connect to a node with these settings."""
    return bool(config.roles & _SERVING_ROLES)


def asks(config: NodeConfig) -> bool:
    """Whether a node with these settings asks ghosts."""
    return "client" in config.roles


class Halves:
    """What runs in `nursery`; each half is None while the node has no such role."""

    def __init__(
        self,
        nursery: trio.Nursery,
        identity: Identity,
        store: Store,
        people: Acquaintance,
        bus: EventBus,
    ) -> None:
        self.serving: Serving | None = None
        self.asking: AskingPart | None = None
        self._serving_part: Part | None = None
        self._nursery = nursery
        self._identity = identity
        self._store = store
        self._people = people
        self._bus = bus

    # -- started, switched, ended --------------------------------------------------------------

    async def load(self, config: NodeConfig) -> None:
        """Serve, and make ready to ask. Raises what a part that cannot start raises."""
        if serves(config):
            await self._start_serving(config)
        if asks(config):
            self.asking = await self._load_asking(config)

    async def start_asking(self) -> None:
        """Ask from now on, where the node asks. Raises what a part that cannot start raises."""
        if self.asking is not None:
            await self.asking.start(self._nursery)

    async def take_up(self, config: NodeConfig, wait_s: float) -> None:
        """Run what these settings ask for and does not run yet; what is gone from a half that stays
        may end within `wait_s` seconds. Raises what a part that cannot start raises."""
        if serves(config) and self.serving is None:
            await self._start_serving(config)
        elif serves(config) and self.serving is not None:
            await self.serving.use(config, wait_s=wait_s)
        if asks(config) and self.asking is None:
            asking = await self._load_asking(config)
            await asking.start(self._nursery)
            self.asking = asking

    async def lay_down(self, config: NodeConfig, wait_s: float) -> None:
        """End the halves that these settings do without, each within `wait_s` seconds."""
        if not serves(config):
            await self._end_serving(wait_s)
        if not asks(config):
            await self._end_asking(wait_s)

    async def let_finish(self, patience_s: float) -> None:
        """Begin nothing new, and let what runs come to its end; answers to own questions have
        `patience_s` seconds. The caller bounds the whole."""
        async with trio.open_nursery() as nursery:
            if self.serving is not None:
                self.serving.close_door()
                nursery.start_soon(self.serving.drain)
            if self.asking is not None:
                nursery.start_soon(self.asking.drain, patience_s)

    async def finish(self) -> None:
        """End every circuit now; bounded."""
        if self.serving is not None:
            await self.serving.finish()

    async def _start_serving(self, config: NodeConfig) -> None:
        serving = Serving(config, self._identity, self._store, self._people, self._bus)
        self._serving_part = await Part.start(self._nursery, serving.run)
        self.serving = serving

    async def _end_serving(self, wait_s: float) -> None:
        serving, part = self.serving, self._serving_part
        if serving is None or part is None:
            return
        with trio.move_on_after(wait_s):
            await serving.drain()
        await serving.finish()
        self.serving = self._serving_part = None
        await part.end()

    async def _load_asking(self, config: NodeConfig) -> AskingPart:
        own = self._identity.node_id
        return await AskingPart.load(config, self._store, self._people, self._bus, own=own)

    async def _end_asking(self, wait_s: float) -> None:
        asking = self.asking
        if asking is None:
            return
        with trio.move_on_after(wait_s):
            await asking.drain(max(0.0, wait_s - SETTLE_S))
        self.asking = None
        await asking.end()

    # -- what they consist of ------------------------------------------------------------------

    def handlers(self) -> Mapping[str, Handler]:
        """The methods of the control protocol that the halves offer now."""
        own: dict[str, Handler] = {}
        if self.asking is not None:
            own.update(self.asking.handlers())
        if self.ghost is not None:
            own.update(self.ghost.handlers())
        return own

    @property
    def client(self) -> ClientRole | None:
        return self.asking.client if self.asking is not None else None

    @property
    def gateway(self) -> Gateway | None:
        return self.asking.gateway if self.asking is not None else None

    @property
    def relay(self) -> RelayRole | None:
        return self.serving.relay if self.serving is not None else None

    @property
    def ghost(self) -> GhostRole | None:
        part = self.serving.ghost if self.serving is not None else None
        return part.role if part is not None else None

    @property
    def desk(self) -> Desk | None:
        return self.ghost.desk if self.ghost is not None else None

    @property
    def standing(self) -> Standing | None:
        return self.serving.standing if self.serving is not None else None

    @property
    def directory(self) -> ServingDirectory | None:
        return self.serving.directory if self.serving is not None else None

    @property
    def dht(self) -> DhtRole | None:
        return self.serving.dht if self.serving is not None else None

    def wallets(self) -> list[Wallet]:
        """Those of the asker and of the ghost, where the node is one."""
        return [role.wallet for role in (self.client, self.ghost) if role]

    def bootstraps(self) -> list[Bootstrap]:
        """What meets the network, one for each half."""
        serving = [self.directory.bootstrap] if self.directory is not None else []
        return serving + ([self.client.directory.bootstrap] if self.client is not None else [])

    def circuits_open(self) -> int:
        """Circuits that lead through this node, and its own."""
        through = len(self.relay.core.circuits) if self.relay is not None else 0
        return through + (len(self.client.pool.circuits) if self.client is not None else 0)

    def totals(self) -> tuple[dict[str, int], int]:
        """Bytes by role and circuits made, since the start."""
        totals: dict[str, int] = {}
        if self.client is not None:
            counts = self.client.links.counts()
            totals["client"] = counts.bytes_in + counts.bytes_out
        if self.relay is None:
            return totals, 0
        totals |= {"relay": self.relay.core.relayed_bytes, "exit": self.relay.core.served_bytes}
        return totals, self.relay.core.counters.circuits_created
