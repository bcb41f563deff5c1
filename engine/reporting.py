"""What a node tells whoever holds its control socket: its status, traffic and view of the network.

Reads only: nothing here changes a part, and no figure holds content, a route or a key.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

import msgspec

from engine.accounting import Accounting
from engine.acquaintance import Acquaintance
from engine.circuit.shape_menu import cost_of
from engine.config import NodeConfig
from engine.control.protocol.circuits import Traffic
from engine.control.protocol.earnings import Earnings
from engine.control.protocol.network import DirectoryInfo, Network, NetworkNode
from engine.control.protocol.node import Hello, Mailboxes, SettingInfo, Status
from engine.control.protocol.roles import Draining
from engine.control.server import Handler
from engine.crypto.identity_work import epoch_ends, epoch_of
from engine.directory.bootstrap import merged
from engine.halves import Halves
from engine.identity import Identity
from engine.settings_tool import described
from engine.version import VERSION
from engine.wire.advert import Advert, Role
from engine.wire.shape import ShapeClass
from wallet.errors import StoreFull
from wallet.store import Store

_TIERS = {
    ShapeClass.BULK: "bulk",
    ShapeClass.TEXT: "text-shaped",
    ShapeClass.ALWAYS_ON: "always-on",
}
_ROLE_NAMES = {
    Role.RELAY: "relay",
    Role.GHOST: "ghost",
    Role.GPU: "gpu",
    Role.MINT_EXIT: "mint-exit",
    Role.MAILBOX: "mailbox",
}


class Reporting:
    """Answers `hello`, `status`, `traffic`, `network`, `earnings` and `config`."""

    def __init__(
        self,
        config: Callable[[], NodeConfig],
        identity: Identity,
        store: Store,
        people: Acquaintance,
        halves: Halves,
        accounting: Accounting,
        *,
        what_runs: Callable[[], Draining | None],
        uptime_s: Callable[[], float],
    ) -> None:
        """`config` is what the node runs by now, `what_runs` what it waits for at its end."""
        self._config = config
        self._identity = identity
        self._store = store
        self._people = people
        self._relays = people.relays
        self._halves = halves
        self._accounting = accounting
        self._what_runs = what_runs
        self._uptime_s = uptime_s

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {
            "hello": self._hello,
            "status": self._status,
            "traffic": self._traffic,
            "network": self._network,
            "earnings": self._earnings,
            "config": self._settings,
        }

    async def _settings(self, _params: object) -> list[SettingInfo]:
        return described(self._config().written)

    async def _hello(self, _params: object) -> Hello:
        roles = sorted(self._config().roles)
        return Hello(protocol=1, version=VERSION, node=self._identity.short_id, roles=roles)

    async def _status(self, _params: object) -> Status:
        self._relays.reload()
        config, client, draining = self._config(), self._halves.client, self._what_runs()
        plan = config.shapes.default
        relays = self._relays.with_role(Role.RELAY)
        report = client.pool.report() if client is not None else None
        balances = await client.wallet.balances() if client is not None else []
        return Status(
            version=VERSION,
            node=self._identity.short_id,
            roles=sorted(config.roles),
            uptime_s=self._uptime_s(),
            home=str(config.home),
            pid=os.getpid(),
            relays_known=len(relays),
            ghosts_known=len(self._relays.with_role(Role.GHOST)),
            ghosts_quarantined=client.ghostbook.quarantined() if client is not None else 0,
            circuits_open=self._halves.circuits_open(),
            wallet_sat=sum(b.available_sat for b in balances) if client is not None else None,
            shape_class=plan.shape_class.label,
            tick_ms=plan.tick_ms,
            tier=_TIERS[plan.shape_class],
            set_size=report.set_size if report is not None else len(relays),
            guard_age_s=report.age_s if report is not None else None,
            guard=report.in_use if report is not None else None,
            shape_leak_bound=cost_of(plan).leak_bound,
            last_cost_msat=client.chats.last_cost_msat if client is not None else None,
            warnings=await self._warnings(),
            mailboxes=self._mailboxes(),
            state="draining" if draining is not None else "serving",
            draining=draining,
            clock_off_s=self._clock_off_s,
        )

    async def _warnings(self) -> list[str]:
        """What the user should know or do, in whole sentences."""
        client, standing, desk = self._halves.client, self._halves.standing, self._halves.desk
        doubt = self._relays.clock_doubt.warning
        return [
            *([_said(self._store.trouble)] if self._store.trouble is not None else []),
            *_clock_set(self._clock_off_s),
            *([doubt] if doubt else []),
            *self._relays.errors,
            *([standing.warning] if standing and standing.warning else []),
            *(await client.warnings() if client else []),
            *(desk.warnings() if desk else []),
        ]

    @property
    def _clock_off_s(self) -> float:
        relay = self._halves.relay
        return relay.keeper.clock.disagreement_s if relay is not None else 0.0

    def _mailboxes(self) -> Mailboxes | None:
        relay = self._halves.relay
        service = relay.mailbox if relay is not None else None
        return Mailboxes(**asdict(service.status())) if service is not None else None

    async def _traffic(self, _params: object) -> Traffic:
        client, relay = self._halves.client, self._halves.relay
        return msgspec.structs.replace(
            client.traffic() if client is not None else Traffic(),
            relay=relay.traffic() if relay is not None else None,
            days=self._accounting.days(),
        )

    async def _network(self, _params: object) -> Network:
        self._relays.reload()
        client, dht = self._halves.client, self._halves.dht
        return Network(
            relays=[_describe(a) for a in self._relays.with_role(Role.RELAY)],
            ghosts=[_describe(a) for a in self._relays.with_role(Role.GHOST)],
            directory=self._directory_info(),
            paths=client.paths() if client is not None else None,
            offers=client.chats.desk.offers.ranges() if client is not None else [],
            dht=dht.info() if dht is not None else None,
        )

    def _directory_info(self) -> DirectoryInfo:
        people, halves = self._people, self._halves
        gossip = halves.directory.gossip if halves.directory is not None else None
        contacts = people.contacts()
        report = merged(bootstrap.report for bootstrap in halves.bootstraps())
        own, now = self._identity.node_id, time.time()
        epoch = epoch_of(own, int(now))
        return DirectoryInfo(
            source=str(self._relays.source or ""),
            errors=[*self._relays.errors, *people.errors],
            network=self._config().network.name,
            contacts=len(contacts),
            gossip_rounds=gossip.rounds if gossip is not None else 0,
            gossip_failures=gossip.failures if gossip is not None else 0,
            view=halves.client.view() if halves.client is not None else None,
            sources=people.sources(report.answered),
            networks_heard=len(report.networks),
            networks_possible=report.possible,
            epoch=epoch,
            epoch_left_s=epoch_ends(own, epoch) - now,
            reach=halves.standing.info() if halves.standing is not None else None,
        )

    async def _earnings(self, _params: object) -> Earnings:
        """Nothing: a ghost answers this itself."""
        return Earnings()


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
