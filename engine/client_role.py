"""The asking half of a node: known relays, guards, circuits, wallet, chats.

Its links carry an identity made for this process, so that a guard cannot tell two runs of a client
apart by key. Mints are reached over circuits (`wallet.via = "circuit"`), never as a fallback
directly.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import httpx
import trio

from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.http import CircuitTransport
from engine.circuit.pool import CircuitPool
from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.control.protocol import Circuit, Hop
from engine.control.server import Handler
from engine.crypto.suite import default_suite
from engine.directory.guards import GuardList
from engine.directory.relays import RelaySet
from engine.errors import NoRoute
from engine.handlers import WalletHandlers
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.market.mints import keep_mints_known, recover_wallet
from engine.session.chat import ChatService
from engine.session.route import Route
from engine.wire.shape import BULK_PLAN
from wallet.store import Store
from wallet.wallet import Wallet

WALLET_PURPOSE = "wallet"


class ClientRole:
    """Composes the client; owns its links, circuits and chats."""

    def __init__(
        self,
        config: NodeConfig,
        store: Store,
        relays: RelaySet,
        bus: EventBus,
        guards: GuardList,
    ) -> None:
        self._config = config
        self._store = store
        self._bus = bus
        self.links = LinkManager(Identity.generate(), default_suite(), on_create=None)
        self.pool = CircuitPool(
            self.links,
            relays,
            guards,
            suite=default_suite(),
            save_guards=self._save_guards,
            on_change=self._circuit_changed,
        )
        self.wallet = Wallet(store, self._transport_for)
        self.chats = ChatService(
            store,
            self.wallet,
            relays,
            lambda ghost, plan: Route(self.pool, relays, ghost, plan),
            config.shapes,
            bus,
        )
        self._relays = relays

    @classmethod
    async def load(
        cls, config: NodeConfig, store: Store, relays: RelaySet, bus: EventBus
    ) -> ClientRole:
        """A client with the guards it used before."""
        saved = await store.guards.all()
        by_place = sorted(saved.values(), key=lambda guard: int(guard.pop("place", 0)))
        return cls(config, store, relays, bus, GuardList(by_place))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.links.run)
            await nursery.start(self.pool.run)
            await self.wallet.open()
            await nursery.start(keep_mints_known, self.wallet, self._config.mints, self._bus)
            nursery.start_soon(recover_wallet, self.wallet, self._bus)
            await nursery.start(self.chats.run)
            nursery.start_soon(self.chats.desk.warm)
            task_status.started()

    async def drain(self) -> None:
        """Settle the sessions, then let every shaped run reach its bucket end."""
        await self.chats.close()
        await self.pool.drain()

    # -- seams ---------------------------------------------------------------------------------

    def _transport_for(self, _url: str) -> httpx.AsyncBaseTransport:
        if self._config.mint_via == "direct":
            return httpx.AsyncHTTPTransport()
        return CircuitTransport(lambda: self.pool.shared_exit(WALLET_PURPOSE, BULK_PLAN))

    async def _save_guards(self, sample: list[dict[str, object]]) -> None:
        kept = {str(guard["node_id"]) for guard in sample}
        for node_id in set(await self._store.guards.all()) - kept:
            await self._store.guards.delete(node_id)
        for place, guard in enumerate(sample):
            await self._store.guards.put(str(guard["node_id"]), {**guard, "place": place})

    def _circuit_changed(self, circuit_id: int, state: str, reason: str) -> None:
        self._bus.publish(
            "circuit.changed", {"circuit_id": circuit_id, "state": state, "reason": reason}
        )

    # -- control -------------------------------------------------------------------------------

    def handlers(self) -> Mapping[str, Handler]:
        """The client's methods of the control protocol."""
        wallet = WalletHandlers(
            self.wallet, via=self._config.mint_via, changed=self._wallet_changed
        )
        chats = self.chats
        return {
            **wallet.table(),
            "models": chats.desk.models,
            "ask": chats.ask,
            "ask.cancel": chats.cancel,
            "shapes": chats.listing.shapes,
            "sessions.list": chats.listing.list_all,
            "sessions.create": chats.listing.create,
            "sessions.messages": chats.listing.messages,
            "sessions.rename": chats.listing.rename,
            "sessions.delete": chats.listing.delete,
            "circuits": self._circuits,
            "circuit.rotate": self._rotate,
        }

    def _wallet_changed(self) -> None:
        self._bus.publish("wallet.changed", {})
        self.chats.desk.warm_soon()

    async def _circuits(self, _params: object) -> list[Circuit]:
        return [_describe(number, one) for number, one in self.pool.circuits.items()]

    async def _rotate(self, _params: object) -> dict[str, object]:
        """Close every open circuit; the next use of each builds a new path."""
        for circuit in list(self.pool.circuits.values()):
            if circuit.state is CircuitState.OPEN:
                self.pool.retire(circuit)
        return {}

    # -- numbers -------------------------------------------------------------------------------

    async def warnings(self) -> list[str]:
        """What the user should know: in whole sentences."""
        found = []
        try:
            self.pool.check_network()
        except NoRoute as error:
            found.append(error.message)
        for mint in await self.wallet.balances():
            if not mint.healthy:
                found.append(f"The mint {mint.url} does not answer.")
            if mint.held_sat:
                found.append(f"The mint {mint.url} holds {mint.held_sat} sat as pending.")
        if self._config.mint_via == "direct":
            found.append("Mints are reached directly: they see this machine's address.")
        return found

    def guard_age_s(self) -> float | None:
        """How long the guard in use has been kept."""
        return self.pool.guards.age_s(time.time())


def _describe(number: int, circuit: ClientCircuit) -> Circuit:
    endpoint = circuit.endpoint
    return Circuit(
        circuit_id=number,
        purpose=circuit.purpose,
        state=circuit.state.value,
        hops=[Hop(role=hop.role, id=hop.short_id) for hop in circuit.path],
        age_s=trio.current_time() - circuit.created_at,
        cells_up=circuit.cells_up,
        cells_down=circuit.cells_down,
        data_cells_up=endpoint.data_regions,
        data_cells_down=endpoint.data_regions_in,
        rtt_ms=None if circuit.rtt_s is None else round(circuit.rtt_s * 1000, 2),
        shape_class=circuit.plan.shape_class.label,
        reason=circuit.reason or None,
    )
