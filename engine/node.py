"""The composition root: settings in, roles and services in one nursery, a control socket out.

Opens the store first and closes it last. Nothing else in the engine knows which roles run beside
it.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from engine.accounting import Accounting
from engine.acquaintance import Acquaintance
from engine.asking_part import AskingPart
from engine.circuit.shape_menu import cost_of
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
from engine.control.protocol.roles import Draining as DrainingInfo
from engine.control.server import ControlServer, Handler
from engine.crypto.identity_work import epoch_ends, epoch_of
from engine.directory.bootstrap import Bootstrap, merged
from engine.directory.contacts import Contact
from engine.directory.relays import RelaySet
from engine.draining import SETTLE_S, Drain
from engine.enduring import mind_store
from engine.errors import ConfigError, ShuttingDown
from engine.exit.keys import KeyRing
from engine.home import check_home
from engine.identity import Identity
from engine.keeping import KeepingHandlers
from engine.log import say
from engine.log.events import Draining
from engine.observing import Observing
from engine.parts import Part
from engine.service.notify import Notifier
from engine.service.successor import check_successor
from engine.serving import Serving, load_secret
from engine.settings_tool import described
from engine.switches import Switches
from engine.version import VERSION
from engine.wire.advert import Advert, Role
from engine.wire.shape import ShapeClass
from wallet.errors import StoreFull
from wallet.store import KeyFile, Passphrase, Store

if TYPE_CHECKING:
    from engine.client_role import ClientRole
    from engine.dht_role import DhtRole
    from engine.directory_role import ServingDirectory
    from engine.exit.desk import Desk
    from engine.gateway.service import Gateway
    from engine.ghost_role import GhostRole
    from engine.relay_role import RelayRole
    from engine.standing import Standing

_TIERS = {
    ShapeClass.BULK: "bulk",
    ShapeClass.TEXT: "text-shaped",
    ShapeClass.ALWAYS_ON: "always-on",
}
SERVING_ROLES = frozenset({"relay", "ghost"})
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
        self._serving: Serving | None = None
        self._serving_part: Part | None = None
        self._asking: AskingPart | None = None
        self._store: Store
        self._identity: Identity
        self._accounting: Accounting
        self._keeping: KeepingHandlers
        self._observing: Observing
        self._table: dict[str, Handler] = {}
        """Methods of the control protocol by name: those that the present roles offer."""
        self._nursery: trio.Nursery
        self._switches = Switches(
            lambda: self.config,
            self.use,
            gateway=lambda: self._gateway,
            desk=self._desk,
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
        self._identity = await _load_identity(store)
        self._keeping = KeepingHandlers(store, self.config, lambda: self.stop(0.0))
        self.short_id = self._identity.short_id
        self._relays.reload()
        self._people = Acquaintance(self.config.network, self._relays, store)
        await self._people.load()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await self._look_near(nursery)
            if self.config.roles & SERVING_ROLES:
                await self._start_serving(self.config)
            if "client" in self.config.roles:
                self._asking = await self._load_asking(self.config)
            keep = self.config.limits.keep_totals
            self._accounting = await Accounting.open(store if keep else None, self._totals)
            nursery.start_soon(self._accounting.run)
            nursery.start_soon(mind_store, store, self._store_changed)
            self._observing = Observing(
                lambda: self.config,
                lambda: self._table,
                clock_warning=lambda: self._relays.clock_doubt.warning,
                spent_msat=lambda: self._client.chats.spent_msat if self._client else None,
                wallets=lambda: [role.wallet for role in (self._client, self._ghost) if role],
            )
            self._renew_table()
            await nursery.start(ControlServer(self.socket, self._table, self.bus).run)
            if self._asking is not None:
                await self._asking.start(nursery)
            await nursery.start(self._observing.run)
            task_status.started()
            await self.drain.wanted.wait()
            await self._let_finish()
            await self._accounting.keep()
            nursery.cancel_scope.cancel()

    async def _let_finish(self) -> None:
        """Begin nothing new, and let what runs come to its end while there is time."""
        say(Draining(round(self.drain.wait_s)))
        self.bus.publish("network.changed", {})
        with self.drain.begin():
            async with trio.open_nursery() as nursery:
                if self._serving is not None:
                    self._serving.close_door()
                    nursery.start_soon(self._serving.drain)
                if self._asking is not None:
                    nursery.start_soon(self._asking.drain, self.drain.patience_s)
        if self._serving is not None:
            await self._serving.finish()

    async def _look_near(self, nursery: trio.Nursery) -> None:
        """Search the local network, and be found in it by a node that listens."""
        lan, listen = self._people.lan, self.config.listen
        if lan is None:
            return
        if listen is not None and self.config.roles & SERVING_ROLES:
            lan.announce(Contact(self._identity.node_id, *listen))
        await nursery.start(lan.run)

    # -- roles ---------------------------------------------------------------------------------

    async def use(self, config: NodeConfig, wait_s: float) -> None:
        """Run by these roles from now on; what runs for one that is gone may end within `wait_s`
        seconds. Raises what a part that cannot start raises, and goes on as before."""
        if self.drain.wanted.is_set():
            raise ShuttingDown("The node is shutting down.", kept="Nothing was changed.")
        serves = bool(config.roles & SERVING_ROLES)
        if serves and self._serving is None:
            await self._start_serving(config)
        elif serves and self._serving is not None:
            await self._serving.use(config, wait_s=wait_s)
        if "client" in config.roles and self._asking is None:
            asking = await self._load_asking(config)
            await asking.start(self._nursery)
            self._asking = asking
        self.config = config
        self._renew_table()
        if not serves:
            await self._end_serving(wait_s)
        if "client" not in config.roles:
            await self._end_asking(wait_s)
        self._renew_table()
        self.bus.publish("network.changed", {})

    async def _start_serving(self, config: NodeConfig) -> None:
        serving = Serving(config, self._identity, self._store, self._people, self.bus)
        self._serving_part = await Part.start(self._nursery, serving.run)
        self._serving = serving

    async def _end_serving(self, wait_s: float) -> None:
        serving, part = self._serving, self._serving_part
        if serving is None or part is None:
            return
        with trio.move_on_after(wait_s):
            await serving.drain()
        await serving.finish()
        self._serving = self._serving_part = None
        await part.end()

    async def _load_asking(self, config: NodeConfig) -> AskingPart:
        return await AskingPart.load(config, self._store, self._people, self.bus)

    async def _end_asking(self, wait_s: float) -> None:
        asking = self._asking
        if asking is None:
            return
        with trio.move_on_after(wait_s):
            await asking.drain(max(0.0, wait_s - SETTLE_S))
        self._asking = None
        await asking.end()

    @property
    def _client(self) -> ClientRole | None:
        return self._asking.client if self._asking is not None else None

    @property
    def _gateway(self) -> Gateway | None:
        return self._asking.gateway if self._asking is not None else None

    @property
    def _relay(self) -> RelayRole | None:
        return self._serving.relay if self._serving is not None else None

    @property
    def _ghost(self) -> GhostRole | None:
        part = self._serving.ghost if self._serving is not None else None
        return part.role if part is not None else None

    @property
    def _standing(self) -> Standing | None:
        return self._serving.standing if self._serving is not None else None

    @property
    def _directory(self) -> ServingDirectory | None:
        return self._serving.directory if self._serving is not None else None

    @property
    def _dht(self) -> DhtRole | None:
        return self._serving.dht if self._serving is not None else None

    def _store_changed(self) -> None:
        if (desk := self._desk()) is not None:
            desk.store_changed()
        self.bus.publish("network.changed", {})

    def _desk(self) -> Desk | None:
        return self._ghost.desk if self._ghost is not None else None

    # -- control -------------------------------------------------------------------------------

    def _renew_table(self) -> None:
        found = {**self._handlers(), **self._observing.table()}
        self._table.clear()
        self._table.update(found)

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
            "upgrade": self._upgrade,
            "advert": self._advert,
            "config": self._settings,
            **self._keeping.table(),
            **self._switches.table(),
        }
        if self._asking is not None:
            own.update(self._asking.handlers())
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
                *([_said(self._store.trouble)] if self._store.trouble is not None else []),
                *_clock_set(self._clock_off_s),
                *([self._relays.clock_doubt.warning] if self._relays.clock_doubt.warning else []),
                *self._relays.errors,
                *([self._standing.warning] if self._standing and self._standing.warning else []),
                *(await client.warnings() if client else []),
                *(self._ghost.desk.warnings() if self._ghost else []),
            ],
            mailboxes=self._mailboxes(),
            state="draining" if self.drain.wanted.is_set() else "serving",
            draining=self.what_runs(),
            clock_off_s=self._clock_off_s,
        )

    @property
    def _clock_off_s(self) -> float:
        return self._relay.keeper.clock.disagreement_s if self._relay is not None else 0.0

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
        answers, circuits = self._serving.busy if self._serving is not None else (0, 0)
        return DrainingInfo(
            left_s=round(self.drain.left_s, 1),
            questions=self._asking.answers if self._asking is not None else 0,
            answers=answers,
            circuits=circuits,
            upgrade=self.drain.upgrade,
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
        now = self._relay.keeper.clock.now() if self._relay is not None else 0
        own = Advert.decode(raw, int(now)) if raw else None
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

    async def _stop(self, params: dict[str, Any]) -> dict[str, object]:
        self.stop(params["drain_s"], patient=params["patient"])
        return {}

    async def _upgrade(self, params: dict[str, float]) -> dict[str, object]:
        """Drain, then become the program that is installed by now."""
        await check_successor(self.config)
        self.drain.upgrade = True
        self.stop(params["wait_s"], patient=True)
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
    return Identity(await load_secret(store, "identity", "seed", lambda: Identity.generate().seed))


def _said(error: StoreFull) -> str:
    return f"{error.message} {error.hint}"


def _clock_set(off_s: float) -> list[str]:
    """A warning while the wall clock is not believed yet."""
    if not off_s:
        return []
    minutes = max(1, round(abs(off_s) / 60))
    return [
        f"This computer's clock was set {minutes} min {'ahead' if off_s > 0 else 'back'} while the "
        "node runs. It follows within half an hour; a restart follows at once."
    ]


def _describe(advert: Advert) -> NetworkNode:
    roles = [_ROLE_NAMES[role] for role in Role if advert.roles & role]
    return NetworkNode(
        id=advert.node_id.hex()[:8], roles=roles, age_s=max(0.0, time.time() - advert.published)
    )
