"""The composition root: settings in, roles and services in one nursery, a control socket out.

Opens the store first and closes it last. Nothing else in the engine knows which roles run beside
it.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio

from engine.accounting import Accounting
from engine.acquaintance import Acquaintance
from engine.circuit.exits import MintExit
from engine.circuit.key_keeper import KeyKeeper
from engine.circuit.relay import StreamHandler
from engine.circuit.shape_menu import cost_of
from engine.circuit.stream import CircuitStream
from engine.config import PASSPHRASE_FILE_ENV, STORE_NAME, NodeConfig, StoreConfig
from engine.control.events import EventBus
from engine.control.paths import control_socket
from engine.control.protocol.circuits import Traffic
from engine.control.protocol.earnings import Earnings
from engine.control.protocol.ghost import GhostStatus
from engine.control.protocol.network import (
    AdvertResult,
    DirectoryInfo,
    Invite,
    Joined,
    Network,
    NetworkNode,
)
from engine.control.protocol.node import Hello, Mailboxes, SettingInfo, Status
from engine.control.server import ControlServer, Handler
from engine.crypto.identity_work import epoch_ends, epoch_of
from engine.crypto.keys import x25519_generate
from engine.crypto.replay import SECRET_BYTES
from engine.dht_role import DhtRole
from engine.directory.bootstrap import Bootstrap, merged
from engine.directory.contacts import Contact
from engine.directory.dialback import DialBack
from engine.directory.relays import RelaySet
from engine.directory.work import OwnWork
from engine.directory_role import ServingDirectory
from engine.errors import ConfigError
from engine.exit.keys import KeyRing
from engine.guide import GuideHandlers
from engine.identity import Identity
from engine.keeping import KeepingHandlers
from engine.log import say
from engine.log.events import CircuitFaulted, Draining
from engine.log.words import Fault
from engine.observing import Observing
from engine.relay_role import KnownRelays, RelayRole
from engine.settings_tool import described
from engine.standing import Standing
from engine.version import VERSION
from engine.wire.advert import COMMITMENT_BYTES, Advert, Role
from engine.wire.frames import Purpose
from engine.wire.shape import ShapeClass
from engine.wire.sheet import commitment
from wallet.store import KeyFile, Passphrase, Store

if TYPE_CHECKING:
    from engine.client_role import ClientRole
    from engine.exit.policy import GhostTerms
    from engine.gateway.service import Gateway
    from engine.ghost_role import GhostRole

_TIERS = {
    ShapeClass.BULK: "bulk",
    ShapeClass.TEXT: "text-shaped",
    ShapeClass.ALWAYS_ON: "always-on",
}
DEFAULT_DRAIN_S = 12.0  # covers the first bucket of the text class
MAX_PASSPHRASE_BYTES = 4_096
_ROLE_NAMES = {
    Role.RELAY: "relay",
    Role.GHOST: "ghost",
    Role.GPU: "gpu",
    Role.MINT_EXIT: "mint-exit",
    Role.MAILBOX: "mailbox",
}


class Node:
    """One node. `run` serves until `stop`; `stopped` is set when it has drained."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.bus = EventBus()
        self.socket = control_socket(config.home)
        self.stopped = trio.Event()
        self.short_id = ""
        self._stopping = trio.Event()
        self._drain_s = DEFAULT_DRAIN_S
        self._started = time.monotonic()
        self._relays = RelaySet(
            config.network.directory,
            test_network=config.network.test,
            network=config.network.tag,
            work_bits=config.network.work_bits,
        )
        self._people: Acquaintance
        self._standing: Standing | None = None
        self._directory: ServingDirectory | None = None
        self._dht: DhtRole | None = None
        self._sheet = b""
        self._client: ClientRole | None = None
        self._relay: RelayRole | None = None
        self._ghost: GhostRole | None = None
        self._gateway: Gateway | None = None
        self._store: Store
        self._identity: Identity
        self._accounting: Accounting
        self._keeping: KeepingHandlers
        self._guide: GuideHandlers

    def stop(self, drain_s: float | None = None) -> None:
        """Drain and end; a second call ends at once."""
        if self._stopping.is_set():
            self._drain_s = 0.0
        elif drain_s is not None:
            self._drain_s = drain_s
        self._stopping.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until stopped. Raises an error with a sentence when a part cannot start."""
        self.config.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = await open_store(self.config)
        try:
            await self._serve(store, task_status)
        finally:
            await store.aclose()
            self.stopped.set()

    async def _serve(self, store: Store, task_status: trio.TaskStatus[None]) -> None:
        self._store = store
        self._identity = await _load_identity(store)
        self._keeping = KeepingHandlers(store, self.config, lambda: self.stop(0.0))
        self._guide = GuideHandlers(store, test=self.config.network.test)
        self.short_id = self._identity.short_id
        self._relays.reload()
        self._people = Acquaintance(self.config.network, self._relays, store)
        await self._people.load()
        async with trio.open_nursery() as nursery:
            await self._look_near(nursery)
            if self.config.roles & {"relay", "ghost"}:
                await self._start_serving(nursery, store)
            if "client" in self.config.roles:
                from engine.client_role import ClientRole  # a relay does without its libraries
                from engine.gateway.service import Gateway

                self._client = await ClientRole.load(
                    self.config, store, self._relays, self.bus, self._people
                )
                self._gateway = Gateway(
                    self._client.chats, store, self.config.home, self.config.api
                )
            keep = self.config.limits.keep_totals
            self._accounting = await Accounting.open(store if keep else None, self._totals)
            nursery.start_soon(self._accounting.run)
            handlers = dict(self._handlers())
            observing = Observing(
                lambda: self.config,
                lambda: handlers,
                clock_warning=lambda: self._relays.clock_doubt.warning,
                spent_msat=lambda: self._client.chats.spent_msat if self._client else None,
                wallets=lambda: [role.wallet for role in (self._client, self._ghost) if role],
            )
            handlers.update(observing.table())
            server = ControlServer(self.socket, handlers, self.bus)
            await nursery.start(server.run)
            if self._client is not None:
                await nursery.start(self._client.run)
            if self._gateway is not None:
                await nursery.start(self._gateway.run)
            await nursery.start(observing.run)
            task_status.started()
            await self._stopping.wait()
            await self._drain()
            await self._accounting.keep()
            nursery.cancel_scope.cancel()

    async def _drain(self) -> None:
        say(Draining(round(self._drain_s)))
        if self._relay is not None:
            self._relay.core.draining = True
        with trio.move_on_after(self._drain_s):
            async with trio.open_nursery() as nursery:
                if self._client is not None:
                    nursery.start_soon(self._client.drain)
                if self._ghost is not None:
                    nursery.start_soon(self._ghost.drain)
            if self._relay is not None:
                await self._relay.core.drain()
        if self._relay is not None:
            await self._relay.core.finish()

    async def _look_near(self, nursery: trio.Nursery) -> None:
        """Search the local network, and be found in it by a node that listens."""
        lan, listen = self._people.lan, self.config.listen
        if lan is None:
            return
        if listen is not None and self.config.roles & {"relay", "ghost"}:
            lan.announce(Contact(self._identity.node_id, *listen))
        await nursery.start(lan.run)

    # -- serving -------------------------------------------------------------------------------

    async def _start_serving(self, nursery: trio.Nursery, store: Store) -> None:
        config = self.config
        keeper = await KeyKeeper.open(
            config.home,
            await store.get_secret("relay", "onion_keys"),
            await _load_secret(store, "relay", "replays", lambda: os.urandom(SECRET_BYTES)),
            lambda data: store.put_secret("relay", "onion_keys", data),
        )
        handlers: dict[int, StreamHandler] = {}
        if config.mint_hosts:
            handlers[Purpose.TCP] = MintExit(config.mint_hosts).serve
        if "ghost" in config.roles:
            from engine.ghost_role import GhostRole  # a relay does without its libraries

            self._ghost = await GhostRole.start(config, self._identity, store, nursery, self.bus)
            handlers[Purpose.SESSION] = self._serve_session
            self._sheet = self._ghost.service.sheet()
        self._relay = RelayRole(
            config,
            self._identity,
            await _load_secret(store, "relay", "link_static", x25519_generate),
            keeper,
            handlers,
            on_fault=lambda error: say(CircuitFaulted(Fault.of(error))),
            is_relay=KnownRelays(self._relays),
            work=await self._own_work(store),
            sheet_commitment=commitment(self._sheet) if self._sheet else bytes(COMMITMENT_BYTES),
        )
        if self._ghost is not None:
            self._ghost.service.mail_by(self._relay.reply_sender())
            self._ghost.desk.on_offer = self._offer
        self._serve_directory(self._relay)
        await nursery.start(self._relay.run)
        if self._standing is not None:
            nursery.start_soon(self._standing.run)
            nursery.start_soon(self._take_part, self._standing, self._relay)

    async def _take_part(self, standing: Standing, relay: RelayRole) -> None:
        """In the directory and the DHT, as soon as there is an address to be found at."""
        await standing.known.wait()
        self._serve_dht(relay)
        async with trio.open_nursery() as nursery:
            if self._directory is not None:
                nursery.start_soon(self._directory.run)
            if self._dht is not None:
                nursery.start_soon(self._dht.run)

    async def _own_work(self, store: Store) -> OwnWork:
        work = OwnWork(
            self._identity.node_id,
            self.config.network.work_bits,
            await store.get_secret("identity", "work"),
            save=lambda data: store.put_secret("identity", "work", data),
        )
        await work.ensure(int(time.time()))
        return work

    def _offer(self, terms: GhostTerms) -> None:
        """The ghost offers something else: advert, sheet and the DHT follow."""
        if self._ghost is None or self._relay is None:
            return
        self._ghost.service.serve_by(terms)
        self._sheet = self._ghost.service.sheet()
        self._relay.offer(commitment(self._sheet))
        if self._directory is not None:
            self._directory.offer(self._sheet)
        if self._dht is not None:
            self._dht.offer(self._ghost.models)

    def _serve_directory(self, relay: RelayRole) -> None:
        config = self.config
        self._directory = ServingDirectory(
            self._people,
            relay.links,
            self._identity.node_id,
            relay.advert,
            sheet=self._sheet,
            listed=config.ghost is None or config.ghost.listed,
        )
        served: dict[int, StreamHandler] = {Purpose.DIRECTORY: self._directory.service.serve}
        relay.core.handlers = {**relay.core.handlers, **served}
        if config.advertise is not None:
            self._standing = Standing(
                relay.links,
                self._relays,
                DialBack(relay.links, relay.may_dial),
                config.advertise,
                self._identity.node_id,
                tested=not config.network.test,
                meet=self._directory.bootstrap.run,
                advertise=relay.advertise,
            )

    def _serve_dht(self, relay: RelayRole) -> None:
        config = self.config
        self._dht = DhtRole(
            relay,
            self._relays,
            self._identity,
            config.network,
            serves="relay" in config.roles,
            models=self._ghost.models if self._ghost is not None else (),
            clock=relay.keeper.clock.now,
        )
        if self._dht.lookups is not None:
            served: dict[int, StreamHandler] = {Purpose.LOOKUP: self._dht.lookups.serve}
            relay.core.handlers = {**relay.core.handlers, **served}

    async def _serve_session(self, stream: CircuitStream, _request: bytes) -> None:
        stream.accept()
        if self._ghost is not None:
            await self._ghost.service.serve_session(stream)

    # -- control -------------------------------------------------------------------------------

    def _handlers(self) -> Mapping[str, Handler]:
        own: dict[str, Handler] = {
            "hello": self._hello,
            "status": self._status,
            "traffic": self._traffic,
            "network": self._network,
            "earnings": self._earnings,
            "directory.reload": self._reload,
            "network.invite": self._invite,
            "network.join": self._join,
            "stop": self._stop,
            "advert": self._advert,
            "config": self._settings,
            **self._keeping.table(),
        }
        if self._client is not None:
            own.update(self._client.handlers())
            own.update(self._guide.table())
        if self._gateway is not None:
            own.update(self._gateway.table())
        if self._ghost is not None:
            own.update(self._ghost.handlers())
        else:
            own["ghost.key"] = self._keep_key
        return own

    async def _settings(self, _params: object) -> list[SettingInfo]:
        return described(self.config.written)

    async def _hello(self, _params: object) -> Hello:
        roles = sorted(self.config.roles)
        return Hello(protocol=1, version=VERSION, node=self.short_id, roles=roles)

    async def _status(self, _params: object) -> Status:
        self._relays.reload()
        client, plan = self._client, self.config.shapes.default
        relays = self._relays.with_role(Role.RELAY)
        report = client.pool.report() if client is not None else None
        balances = await client.wallet.balances() if client is not None else []
        return Status(
            version=VERSION,
            node=self.short_id,
            roles=sorted(self.config.roles),
            uptime_s=time.monotonic() - self._started,
            home=str(self.config.home),
            pid=os.getpid(),
            relays_known=len(relays),
            ghosts_known=len(self._relays.with_role(Role.GHOST)),
            ghosts_quarantined=client.ghostbook.quarantined() if client is not None else 0,
            circuits_open=self._circuits_open(),
            wallet_sat=sum(b.available_sat for b in balances) if client is not None else None,
            shape_class=plan.shape_class.label,
            tick_ms=plan.tick_ms,
            tier=_TIERS[plan.shape_class],
            set_size=report.set_size if report is not None else len(relays),
            guard_age_s=report.age_s if report is not None else None,
            guard=report.in_use if report is not None else None,
            shape_leak_bound=cost_of(plan).leak_bound,
            last_cost_msat=client.chats.last_cost_msat if client is not None else None,
            warnings=[
                *([self._relays.clock_doubt.warning] if self._relays.clock_doubt.warning else []),
                *self._relays.errors,
                *([self._standing.warning] if self._standing and self._standing.warning else []),
                *(await client.warnings() if client else []),
                *(self._ghost.desk.warnings() if self._ghost else []),
            ],
            mailboxes=self._mailboxes(),
        )

    def _mailboxes(self) -> Mailboxes | None:
        service = self._relay.mailbox if self._relay is not None else None
        return Mailboxes(**asdict(service.status())) if service is not None else None

    async def _traffic(self, _params: object) -> Traffic:
        own = self._client.traffic() if self._client is not None else Traffic()
        relay = self._relay.traffic() if self._relay is not None else None
        return msgspec.structs.replace(own, relay=relay, days=self._accounting.days())

    def _totals(self) -> tuple[dict[str, int], int]:
        """Bytes by role and circuits made, since the start."""
        totals: dict[str, int] = {}
        if self._client is not None:
            counts = self._client.links.counts()
            totals["client"] = counts.bytes_in + counts.bytes_out
        if self._relay is None:
            return totals, 0
        totals |= {"relay": self._relay.core.relayed_bytes, "exit": self._relay.core.served_bytes}
        return totals, self._relay.core.counters.circuits_created

    def _circuits_open(self) -> int:
        through = len(self._relay.core.circuits) if self._relay is not None else 0
        return through + (len(self._client.pool.circuits) if self._client is not None else 0)

    async def _network(self, _params: object) -> Network:
        self._relays.reload()
        return Network(
            relays=[_describe(a) for a in self._relays.with_role(Role.RELAY)],
            ghosts=[_describe(a) for a in self._relays.with_role(Role.GHOST)],
            directory=self._directory_info(),
            paths=self._client.paths() if self._client is not None else None,
            offers=self._client.chats.desk.offers.ranges() if self._client is not None else [],
            dht=self._dht.info() if self._dht is not None else None,
        )

    def _directory_info(self) -> DirectoryInfo:
        people, gossip = self._people, self._directory.gossip if self._directory else None
        contacts = people.contacts()
        report = merged(bootstrap.report for bootstrap in self._bootstraps())
        own, now = self._identity.node_id, time.time()
        epoch = epoch_of(own, int(now))
        return DirectoryInfo(
            source=str(self._relays.source or ""),
            errors=[*self._relays.errors, *people.errors],
            network=self.config.network.name,
            contacts=len(contacts),
            gossip_rounds=gossip.rounds if gossip is not None else 0,
            gossip_failures=gossip.failures if gossip is not None else 0,
            view=self._client.view() if self._client is not None else None,
            sources=people.sources(report.answered),
            networks_heard=len(report.networks),
            networks_possible=report.possible,
            epoch=epoch,
            epoch_left_s=epoch_ends(own, epoch) - now,
            reach=self._standing.info() if self._standing is not None else None,
        )

    async def _earnings(self, _params: object) -> Earnings:
        return Earnings()

    async def _keep_key(self, params: dict[str, str]) -> GhostStatus:
        """For a ghost that is being set up: its provider key goes into the store."""
        ring = KeyRing(self._store.secrets)
        await ring.put(params["name"], params["key"])
        return GhostStatus(keys=await ring.names())

    async def _reload(self, _params: object) -> dict[str, object]:
        """Read the files again and ask the contacts."""
        self._relays.reload()
        for bootstrap in self._bootstraps():
            await bootstrap.run()
        return {}

    async def _invite(self, _params: object) -> Invite:
        raw = self._relay.advert() if self._relay is not None else b""
        own = Advert.decode(raw, int(time.time())) if raw else None
        return Invite(
            invite=self._people.invite(own),
            short=self._people.invite(own, most=1),
        )

    async def _join(self, params: dict[str, str]) -> Joined:
        contacts = await self._people.join(params["invite"])
        reports = [await b.run() for b in self._bootstraps()]
        return Joined(
            contacts=contacts,
            answered=sum(len(report.answered) for report in reports),
            relays_known=len(self._relays.with_role(Role.RELAY)),
        )

    def _bootstraps(self) -> list[Bootstrap]:
        serving = [self._directory.bootstrap] if self._directory is not None else []
        return serving + ([self._client.directory.bootstrap] if self._client is not None else [])

    async def _advert(self, _params: object) -> AdvertResult:
        if self._relay is None:
            raise ConfigError("This node neither relays nor serves, so it has no advert.")
        if not self._relay.advert():
            raise ConfigError("This node does not know its address yet, so it has no advert.")
        return AdvertResult(advert=b64encode(self._relay.advert()).decode("ascii"))

    async def _stop(self, params: dict[str, float]) -> dict[str, object]:
        self.stop(params["drain_s"])
        return {}


async def open_store(config: NodeConfig) -> Store:
    """Open (or create) the node's encrypted store with the secret the settings name."""
    return await open_store_with(config, store_secret(config.store, config.home))


async def open_store_with(config: NodeConfig, secret: KeyFile | Passphrase) -> Store:
    """The same with a secret from elsewhere."""
    return await Store.open(config.home / STORE_NAME, secret, create=True)


def store_secret(store: StoreConfig, home: Path) -> KeyFile | Passphrase:
    """The key file, or the passphrase from a descriptor or file. Raises ConfigError."""
    if store.key_file is not None:
        return KeyFile(store.key_file, create=True)
    if store.passphrase_fd is not None:
        with os.fdopen(store.passphrase_fd, "rb") as pipe:
            return _passphrase(pipe.read(MAX_PASSPHRASE_BYTES))
    if store.passphrase_file is not None:
        try:
            return _passphrase(store.passphrase_file.read_bytes()[:MAX_PASSPHRASE_BYTES])
        except OSError as error:
            raise ConfigError(
                f"The passphrase file {store.passphrase_file} cannot be read.",
                kept="The store was not touched.",
                hint=f"Check [store] passphrase_file or {PASSPHRASE_FILE_ENV}.",
            ) from error
    raise ConfigError(
        f"Nothing opens the store in {home}: no passphrase and no key file is given.",
        kept="The store was not touched.",
        hint=f"Set {PASSPHRASE_FILE_ENV}, or [store] key_file in config.toml.",
    )


def _passphrase(raw: bytes) -> Passphrase:
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigError("The passphrase is not valid UTF-8.") from error
    if not text:
        raise ConfigError("The passphrase is empty.", hint="Choose a passphrase.")
    return Passphrase(text)


async def _load_identity(store: Store) -> Identity:
    return Identity(await _load_secret(store, "identity", "seed", lambda: Identity.generate().seed))


async def _load_secret(store: Store, ns: str, key: str, make: Callable[[], bytes]) -> bytes:
    saved = await store.get_secret(ns, key)
    if saved is None:
        saved = make()
        await store.put_secret(ns, key, saved)
    return saved


def _describe(advert: Advert) -> NetworkNode:
    roles = [_ROLE_NAMES[role] for role in Role if advert.roles & role]
    return NetworkNode(
        id=advert.node_id.hex()[:8], roles=roles, age_s=max(0.0, time.time() - advert.published)
    )
