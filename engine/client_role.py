"""The asking half of a node: known relays, guards, circuits, wallet, chats.

Its links carry an identity made for this process, so that a guard cannot tell two runs of a client
apart by key. Mints are reached over circuits (`wallet.via = "circuit"`), never as a fallback
directly.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import httpx
import trio

from engine.acquaintance import Acquaintance
from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.http import CircuitTransport
from engine.circuit.pool import CircuitPool
from engine.client_view import describe_circuits, describe_classes, describe_note
from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.control.protocol.circuits import Circuit, CircuitEvent, CoverInfo, Traffic
from engine.control.protocol.network import GuardInfo, PathInfo, TableInfo, ViewInfo
from engine.control.server import Handler
from engine.crypto.suite import default_suite
from engine.directory.dht.exits import PURPOSE as LOOKUP_PURPOSE
from engine.directory.dht.finder import GhostFinder
from engine.directory.guards import GuardList
from engine.directory.networks import load_table
from engine.directory.relays import RelaySet
from engine.directory.report import silence
from engine.directory.rules import PathRules
from engine.directory_role import AskingDirectory
from engine.ecash_handlers import EcashHandlers
from engine.enduring import enduring
from engine.errors import NoRoute, WireError
from engine.guard_store import GuardStore
from engine.handlers import WalletHandlers
from engine.identity import Identity, short_id
from engine.link.manager import LinkManager
from engine.link.padding import Padding
from engine.link_view import describe_links
from engine.mailbox.client import MailboxClient
from engine.market.mints import keep_mints_known, recover_wallet
from engine.market.tending import tend_wallet
from engine.session.chat import ChatService
from engine.session.chat_methods import chat_methods
from engine.session.cover import CoverTraffic
from engine.session.ghostbook import GhostBook
from engine.session.mailroad import MailRoad
from engine.session.opening import Surroundings
from engine.session.prober import Prober
from engine.session.purse import ProbePurse
from engine.session.route import Route
from engine.session.sheets import SheetBook
from engine.session.tokenizers import Tokenizers
from engine.session.watch import watch_for_wake
from engine.wire.advert import Advert
from engine.wire.record import model_capability
from engine.wire.shape import BULK_PLAN
from wallet.store import Store
from wallet.wallet import Wallet

WALLET_PURPOSE = "wallet"
TABLE_OLD_S = 180 * 86_400.0  # addresses change hands slowly, but they do


class ClientRole:
    """Composes the client; owns its links, circuits and chats."""

    def __init__(
        self,
        config: NodeConfig,
        store: Store,
        relays: RelaySet,
        bus: EventBus,
        guards: GuardStore,
        saved: Sequence[Mapping[str, object]],
        rules: PathRules,
        people: Acquaintance,
    ) -> None:
        self._config = config
        self._store = store
        self._bus = bus
        padding = Padding.OFF if config.link_padding == "off" else Padding.DIAL
        self.links = LinkManager(
            Identity.generate(),
            default_suite(),
            on_create=None,
            padding=padding,
            limits=config.limits,
            rate=config.limits.client_rate,
            network=config.network.tag,
        )
        self.pool = CircuitPool(
            self.links,
            relays,
            GuardList(saved),
            suite=default_suite(),
            save_guards=guards.save,
            on_change=self._circuit_changed,
            rules=rules,
        )
        self.directory = AskingDirectory(
            people, self.links, self.pool, on_change=lambda: bus.publish("network.changed", {})
        )
        way = config.mint_way.via
        self.wallet = Wallet(
            store,
            self._transport_for,
            post=self._transport_for if way == "circuit" else None,
            policy=config.wallet_policy,
            second=self._second_way if way != "direct" else None,
        )
        self.finder = GhostFinder(
            self._build_lookup,
            self.pool.retire,
            relays,
            rules=rules,
            work_bits=config.network.work_bits,
            clock=time.time,
        )
        around = Surroundings(
            store,
            self.wallet,
            relays,
            lambda ghost, plan: Route(self.pool, relays, ghost, plan),
            config.shapes,
            bus,
            self._mail_road(relays),
            SheetBook(
                relays,
                self.directory.fetch_sheet,
                on_change=lambda: bus.publish("network.changed", {}),
            ),
            self._find_ghosts,
            config.market.wishes,
        )
        self.chats = ChatService(around, config.session)
        self.cover = CoverTraffic(config.cover, config.shapes.plan("text"), self.pool.build_cover)
        self._relays = relays
        desk, market = self.chats.desk, config.market
        desk.tokenizers = Tokenizers(config.tokenizers)
        purse = ProbePurse(store.settings, market.probe_sat_per_day, time.time)
        self.prober = Prober(desk, purse, config.shapes, self.chats.composer.defaults)
        self.ghostbook = GhostBook(desk.witness, relays, market, self.prober.told)

    @classmethod
    async def load(
        cls,
        config: NodeConfig,
        store: Store,
        relays: RelaySet,
        bus: EventBus,
        people: Acquaintance,
        *,
        own: bytes = b"",
    ) -> ClientRole:
        """A client with the guards it used before, and the table of networks if there is one. The
        node's `own` NodeID is no hop of its paths.

        Raises ConfigError when the table cannot be read.
        """
        guards = GuardStore(store.guards)
        source = config.paths.table
        table = None if source is None else await trio.to_thread.run_sync(load_table, source)
        rules = PathRules(config.paths, table, own=own)
        return cls(config, store, relays, bus, guards, await guards.load(), rules, people)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.links.run)
            await nursery.start(self.pool.run)
            await self.wallet.open()
            await self._remember_found()
            await nursery.start(self.directory.run)
            await nursery.start(keep_mints_known, self.wallet, self._config.mints, self._bus)
            nursery.start_soon(enduring, recover_wallet, self.wallet, self._bus)
            nursery.start_soon(enduring, tend_wallet, self.wallet, self._bus)
            await nursery.start(self.chats.run)
            nursery.start_soon(self.chats.desk.warm)
            nursery.start_soon(watch_for_wake, self._woke)
            nursery.start_soon(self.cover.run)
            nursery.start_soon(self.prober.run)
            task_status.started()

    async def drain(self) -> None:
        """Settle the sessions, then let every shaped run reach its bucket end."""
        await self.chats.close()
        await self.pool.drain()

    def _woke(self) -> None:
        """The machine slept: every link is dead, whatever the kernel says of it."""
        for link in self.links.links:
            link.close()
        self.chats.desk.wake()

    async def _find_ghosts(self, model: str) -> bool:
        """Look for ghosts that nobody told this client of; True when some were found."""
        capability = model_capability(self._config.network.tag, model)
        found = await self.finder.find(capability)
        if found:
            # Credit may lie with them: the next run has to know where.
            await self._store.put_secret("directory", "found", self._relays.dump_found())
            self._bus.publish("network.changed", {})
        return bool(found)

    async def _remember_found(self) -> None:
        saved = await self._store.get_secret("directory", "found")
        if saved is not None:
            with contextlib.suppress(WireError):  # it is only a memory: they can be found again
                self._relays.restore_found(saved)

    async def _build_lookup(self, relay: Advert) -> ClientCircuit:
        return await self.pool.build_to_relay(relay, LOOKUP_PURPOSE, BULK_PLAN)

    def _mail_road(self, relays: RelaySet) -> MailRoad:
        async def build(advert: Advert, purpose: str) -> ClientCircuit:
            return await self.pool.build_to_relay(advert, purpose, BULK_PLAN)

        def guards() -> list[bytes]:
            in_use = self.pool.guards.in_use
            return [] if in_use is None else [bytes.fromhex(in_use.node_id)]

        return MailRoad(MailboxClient(build, relays, rules=self.pool.rules), relays, guards)

    # -- seams ---------------------------------------------------------------------------------

    def _second_way(self, url: str) -> httpx.AsyncBaseTransport:
        """To the same mint over a circuit of its own, to see whether it shows others other keys."""
        if (proxy := self._config.mint_way.proxy) is not None:
            return proxy.transport(f"{url} as a stranger")
        return CircuitTransport(
            lambda: self.pool.shared_exit(WALLET_PURPOSE, BULK_PLAN, f"{url} as a stranger")
        )

    def _transport_for(self, url: str) -> httpx.AsyncBaseTransport:
        self._config.mint_way.check(url)
        if (proxy := self._config.mint_way.proxy) is not None:
            return proxy.transport(url)
        if self._config.mint_way.via == "direct":
            return httpx.AsyncHTTPTransport()
        self.pool.keep_ready(WALLET_PURPOSE, BULK_PLAN)
        # One circuit a mint: two mints that compare notes see two clients.
        return CircuitTransport(lambda: self.pool.shared_exit(WALLET_PURPOSE, BULK_PLAN, url))

    def _circuit_changed(self, circuit_id: int, state: str, reason: str) -> None:
        note = self.pool.notes[-1]
        self._bus.publish(
            "circuit.changed",
            {
                "circuit_id": circuit_id,
                "state": state,
                "reason": reason,
                "purpose": note.purpose,
                "why": note.why,
            },
        )

    # -- control -------------------------------------------------------------------------------

    def handlers(self) -> Mapping[str, Handler]:
        """The client's methods of the control protocol."""
        wallet = WalletHandlers(
            self.wallet,
            via=self._config.mint_way.via,
            changed=self._wallet_changed,
            publish=self._bus.publish,
        )
        ecash = EcashHandlers(self.wallet, changed=self._wallet_changed)
        chats = self.chats
        return {
            **wallet.table(),
            **ecash.table(),
            "models": chats.desk.chooser.models,
            "ghosts": self.ghostbook.ghosts,
            "ghosts.mark": self.ghostbook.mark,
            "evidence.export": self.ghostbook.export,
            "evidence.import": self.ghostbook.take_in,
            **chat_methods(chats),
            "circuits": self._circuits,
            "circuit.notes": self._notes,
            "circuit.rotate": self._rotate,
        }

    def _wallet_changed(self) -> None:
        self._bus.publish("wallet.changed", {})
        self.chats.desk.warm_soon()

    async def _circuits(self, _params: object) -> list[Circuit]:
        return describe_circuits(self.pool)

    async def _notes(self, _params: object) -> list[CircuitEvent]:
        return [describe_note(note) for note in self.pool.notes]

    async def _rotate(self, _params: object) -> dict[str, object]:
        """Close every open circuit; the next use of each builds a new path."""
        for circuit in list(self.pool.circuits.values()):
            if circuit.state is CircuitState.OPEN:
                self.pool.retire(circuit)
        return {}

    # -- numbers -------------------------------------------------------------------------------

    def view(self) -> ViewInfo | None:
        """How far the directory's sources agreed."""
        found = self.directory.refresh.agreement
        if found is None:
            return None
        return ViewInfo(
            at=found.at,
            sources=found.sources,
            known=found.known,
            lowest=found.lowest,
            dissenting=[short_id(node) for node in found.dissenting],
        )

    def traffic(self) -> Traffic:
        """What the user's own circuits and links carried since the start."""
        cover = self.cover
        return Traffic(
            classes=describe_classes(self.pool),
            links=describe_links(self.links),
            cover=CoverInfo(
                enabled=cover.settings.enabled,
                per_hour=cover.settings.per_hour,
                bytes_per_hour=cover.settings.bytes_per_hour,
                talks=cover.talks,
                bytes_spent=cover.bytes_spent,
            ),
        )

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
        report = self.pool.report()
        found += [*silence(report.guards), *report.suspects]
        if report.table is not None and time.time() - report.table.made > TABLE_OLD_S:
            days = int((time.time() - report.table.made) / 86_400)
            found.append(f"The table of networks is {days} days old; get a newer one.")
        if self._config.mint_way.via == "direct":
            found.append("Mints are reached directly: they see this machine's address.")
        return found

    def paths(self) -> PathInfo:
        """How paths are chosen and how the guards fare, for the control protocol."""
        report = self.pool.report()
        return PathInfo(
            guards=[GuardInfo(**asdict(guard)) for guard in report.guards],
            guard=report.in_use,
            guard_age_s=report.age_s,
            layer2=report.layer2,
            layer2_change_s=report.layer2_change_s,
            set_size=report.set_size,
            measured=report.measured,
            build_timeout_s=report.build_timeout_s,
            table=None if report.table is None else TableInfo(**asdict(report.table)),
            refusals=list(report.refusals),
        )
