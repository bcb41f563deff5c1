"""The composition root: settings in, roles and services in one nursery, a control socket out.

Opens the store first and closes it last. Nothing else in the engine knows which roles run beside
it. What the halves of a node do is theirs (`engine.halves`); what is told of them, and how the
network is met, is answered elsewhere (`engine.reporting`, `engine.joining`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import trio

from engine.accounting import Accounting
from engine.acquaintance import Acquaintance
from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.control.paths import control_socket
from engine.control.protocol.ghost import GhostStatus
from engine.control.protocol.roles import Draining as DrainingInfo
from engine.control.server import ControlServer, Handler
from engine.directory.contacts import Contact
from engine.directory.relays import RelaySet
from engine.draining import Drain
from engine.enduring import mind_store
from engine.errors import ShuttingDown
from engine.exit.keys import KeyRing
from engine.halves import Halves, serves
from engine.home import check_home
from engine.identity import Identity
from engine.joining import Joining
from engine.keeping import KeepingHandlers
from engine.log import say
from engine.log.events import Draining
from engine.observing import Observing
from engine.reporting import Reporting
from engine.service.notify import Notifier
from engine.service.successor import check_successor
from engine.serving import load_secret
from engine.store_opening import open_store
from engine.switches import Switches
from wallet.store import Store


class Node:
    """One node. `run` serves until `stop`; `stopped` is set when it has drained."""

    def __init__(self, config: NodeConfig, notifier: Notifier | None = None) -> None:
        """`notifier` tells the supervisor, where there is one."""
        self.config = config
        self.bus = EventBus()
        self.socket = control_socket(config.home)
        self.stopped = trio.Event()
        self.short_id = ""
        self.drain = Drain()
        self._started = time.monotonic()
        self._relays = RelaySet(
            config.network.directory,
            test_network=config.network.test,
            network=config.network.tag,
            work_bits=config.network.work_bits,
        )
        self._people: Acquaintance
        self._halves: Halves
        self._store: Store
        self._accounting: Accounting
        self._keeping: KeepingHandlers
        self._joining: Joining
        self._reporting: Reporting
        self._observing: Observing
        self._table: dict[str, Handler] = {}
        """Methods of the control protocol by name: those that the present roles offer."""
        self._switches = Switches(
            lambda: self.config,
            self.use,
            gateway=lambda: self._halves.gateway,
            desk=lambda: self._halves.desk,
            notifier=notifier or Notifier(),
        )

    def stop(self, drain_s: float | None = None, *, patient: bool = False) -> None:
        """Drain and end; a second call ends at once. See `Drain.ask`."""
        self.drain.ask(drain_s, patient=patient)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until stopped. Raises an error with a sentence when a part cannot start."""
        check_home(self.config.home)
        store = await open_store(self.config)
        try:
            await self._serve(store, task_status)
        finally:
            await store.aclose()
            self.stopped.set()

    async def _serve(self, store: Store, task_status: trio.TaskStatus[None]) -> None:
        self._store = store
        identity = await _load_identity(store)
        self._keeping = KeepingHandlers(store, self.config, lambda: self.stop(0.0))
        self.short_id = identity.short_id
        self._relays.reload()
        self._people = Acquaintance(self.config.network, self._relays, store)
        await self._people.load()
        async with trio.open_nursery() as nursery:
            await self._look_near(nursery, identity)
            halves = Halves(nursery, identity, store, self._people, self.bus)
            self._halves = halves
            await halves.load(self.config)
            await self._account(nursery)
            nursery.start_soon(mind_store, store, self._store_changed)
            self._set_up_control(identity)
            await nursery.start(ControlServer(self.socket, self._table, self.bus).run)
            await halves.start_asking()
            await nursery.start(self._observing.run)
            task_status.started()
            await self.drain.wanted.wait()
            await self._let_finish()
            await self._accounting.keep()
            nursery.cancel_scope.cancel()

    async def _account(self, nursery: trio.Nursery) -> None:
        keep = self.config.limits.keep_totals
        self._accounting = await Accounting.open(self._store if keep else None, self._halves.totals)
        nursery.start_soon(self._accounting.run)

    async def _let_finish(self) -> None:
        """Begin nothing new, and let what runs come to its end while there is time."""
        say(Draining(round(self.drain.wait_s)))
        self.bus.publish("network.changed", {})
        with self.drain.begin():
            await self._halves.let_finish(self.drain.patience_s)
        await self._halves.finish()

    async def _look_near(self, nursery: trio.Nursery, identity: Identity) -> None:
        """Search the local network, and be found in it by a node that listens."""
        lan, listen = self._people.lan, self.config.listen
        if lan is None:
            return
        if listen is not None and serves(self.config):
            lan.announce(Contact(identity.node_id, *listen))
        await nursery.start(lan.run)

    async def use(self, config: NodeConfig, wait_s: float) -> None:
        """Run by these roles from now on; what runs for one that is gone may end within `wait_s`
        seconds. Raises what a part that cannot start raises, and goes on as before."""
        if self.drain.wanted.is_set():
            raise ShuttingDown("The node is shutting down.", kept="Nothing was changed.")
        await self._halves.take_up(config, wait_s)
        self.config = config
        self._renew_table()
        await self._halves.lay_down(config, wait_s)
        self._renew_table()
        self.bus.publish("network.changed", {})

    def _store_changed(self) -> None:
        if (desk := self._halves.desk) is not None:
            desk.store_changed()
        self.bus.publish("network.changed", {})

    # -- control -------------------------------------------------------------------------------

    def _set_up_control(self, identity: Identity) -> None:
        halves = self._halves
        self._joining = Joining(self._people, halves)
        self._reporting = Reporting(
            lambda: self.config,
            identity,
            self._store,
            self._people,
            halves,
            self._accounting,
            what_runs=self.what_runs,
            uptime_s=lambda: time.monotonic() - self._started,
        )
        self._observing = Observing(
            lambda: self.config,
            lambda: self._table,
            clock_warning=lambda: self._relays.clock_doubt.warning,
            spent_msat=lambda: halves.client.chats.spent_msat if halves.client else None,
            wallets=halves.wallets,
        )
        self._renew_table()

    def _renew_table(self) -> None:
        found = {**self._handlers(), **self._observing.table()}
        self._table.clear()
        self._table.update(found)

    def _handlers(self) -> Mapping[str, Handler]:
        """Those of the halves come last: a ghost answers some of the node's own methods itself."""
        return {
            "stop": self._stop,
            "upgrade": self._upgrade,
            "ghost.key": self._keep_key,
            **self._reporting.table(),
            **self._joining.table(),
            **self._keeping.table(),
            **self._switches.table(),
            **self._halves.handlers(),
        }

    async def _keep_key(self, params: dict[str, str]) -> GhostStatus:
        """For a ghost that is being set up: its provider key goes into the store."""
        ring = KeyRing(self._store.secrets)
        await ring.put(params["name"], params["key"])
        return GhostStatus(keys=await ring.names())

    async def _stop(self, params: dict[str, Any]) -> dict[str, object]:
        self.stop(params["drain_s"], patient=params["patient"])
        return {}

    async def _upgrade(self, params: dict[str, float]) -> dict[str, object]:
        """Drain, then become the program that is installed by now."""
        await check_successor(self.config)
        self.drain.upgrade = True
        self.stop(params["wait_s"], patient=True)
        return {}

    # -- for a supervisor ----------------------------------------------------------------------

    async def check(self) -> None:
        """Returns when the store answers. Raises a WalletError when it cannot."""
        await self._store.settings.get("service.check")

    def summary(self) -> str:
        """One line without identities, for everybody on this machine."""
        return f"Serving as {', '.join(sorted(self.config.roles))}"

    def what_runs(self) -> DrainingInfo | None:
        """What a node that ends waits for; None while it serves."""
        if not self.drain.wanted.is_set():
            return None
        serving, asking = self._halves.serving, self._halves.asking
        answers, circuits = serving.busy if serving is not None else (0, 0)
        return DrainingInfo(
            left_s=round(self.drain.left_s, 1),
            questions=asking.answers if asking is not None else 0,
            answers=answers,
            circuits=circuits,
            upgrade=self.drain.upgrade,
        )


async def _load_identity(store: Store) -> Identity:
    return Identity(await load_secret(store, "identity", "seed", lambda: Identity.generate().seed))
