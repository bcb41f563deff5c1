"""The serving half of a node: links, relay core, onion keys and the advert that names them all.

A relay and a ghost run the same code; they differ in the stream handlers they are given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

import trio

from engine.circuit.addresses import DialPolicy, is_local
from engine.circuit.key_keeper import KeyKeeper
from engine.circuit.relay import RelayCircuit, StreamHandler
from engine.circuit.relay_core import RelayCore
from engine.config import NodeConfig
from engine.control.protocol.circuits import RelayTraffic
from engine.crypto.suite import default_suite
from engine.directory.relays import RelaySet
from engine.directory.work import OwnWork
from engine.enduring import unless_full
from engine.errors import ConfigError
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.link.padding import Padding
from engine.link_view import describe_links
from engine.mailbox.outlet import PacketOutlet
from engine.mailbox.sender import ReplySender
from engine.mailbox.service import MailboxService
from engine.mailbox.settings import MailboxSettings
from engine.parts import Part, wait_while
from engine.wire.advert import COMMITMENT_BYTES, MAX_SKEW_S, Address, Advert, Role
from engine.wire.cells import Command, DestroyReason
from engine.wire.frames import Purpose

ADVERT_LIFE_S = 6 * 3_600  # how long a node that is gone stays in the others' sets
ADVERT_RENEW_S = 3_600
ROTATION_CHECK_S = 300.0
DIRECTORY_READ_S = 60.0
_PADDING = {"clients": Padding.ANSWER, "all": Padding.DIAL, "off": Padding.OFF}


def has_mailboxes(config: NodeConfig) -> bool:
    """Whether a node with these settings keeps mailboxes."""
    return "relay" in config.roles and config.mailbox.enabled


class KnownRelays:
    """Tells whether a neighbour is a relay by its valid advert, from a directory read now and then.

    Only how many circuits a neighbour gets for free hangs on it, so a stale answer does no harm.
    """

    def __init__(self, relays: RelaySet) -> None:
        self._relays = relays
        self._read_at = trio.current_time()

    def __call__(self, node_id: bytes) -> bool:
        """True for the NodeID of a relay in the directory."""
        now = trio.current_time()
        if now - self._read_at > DIRECTORY_READ_S:
            self._read_at = now
            with contextlib.suppress(ConfigError):  # the file is away: what was read stays
                self._relays.reload()
        advert = self._relays.get(node_id)
        return advert is not None and bool(advert.roles & Role.RELAY)


class RelayRole:
    """Everything a relay or ghost needs to be part of circuits."""

    def __init__(
        self,
        config: NodeConfig,
        identity: Identity,
        link_static: bytes,
        keeper: KeyKeeper,
        handlers: Mapping[int, StreamHandler],
        *,
        on_fault: Callable[[Exception], None],
        is_relay: Callable[[bytes], bool],
        work: OwnWork,
        sheet_commitment: bytes = bytes(COMMITMENT_BYTES),
        published: int = 0,
    ) -> None:
        """`published` is when the last advert that others may have was made (unix seconds)."""
        self._sheet_commitment = sheet_commitment
        self.work = work
        self._config = config
        self._identity = identity
        self.keeper = keeper
        self._address: tuple[str, int] | None = None
        self._published = published
        self._advert = b""
        self.core = RelayCore(
            identity.node_id,
            keeper.keys.private_keys,
            handlers=handlers,
            address_ok=self._address_ok,
            on_fault=on_fault,
            limits=config.limits,
            is_relay=is_relay,
            replays=keeper.replays,
        )
        if config.advertise is not None and config.advertise.host:
            self.advertise(config.advertise.host, config.advertise.port)
        self._policy = DialPolicy(
            self._own_addresses,
            test_network=config.network.test,
            low_ports=config.limits.low_ports,
        )
        self.links = LinkManager(
            identity,
            default_suite(),
            on_create=self.core.on_create,
            static=link_static,
            padding=_PADDING[config.link_padding],
            limits=config.limits,
            rate=config.limits.relay_rate,
            exempt=is_local if config.network.test else lambda _host: False,
            network=config.network.tag,
        )
        self.core.links = self.links
        self.outlet = PacketOutlet(self.links)
        self.mailbox: MailboxService | None = None
        self._mailbox_part: Part | None = None
        self._nursery: trio.Nursery | None = None
        self._leaving = self._hidden = False
        if has_mailboxes(config):
            self._offer_mailboxes(config.mailbox)

    def _offer_mailboxes(self, settings: MailboxSettings) -> MailboxService:
        mailbox = self.mailbox = MailboxService(
            settings, self._identity.node_id, self.outlet, address_ok=self._address_ok
        )
        self.core.handlers = {**self.core.handlers, Purpose.MAILBOX: mailbox.serve}
        self.core.memory.others.append(mailbox.bytes_held)
        return mailbox

    async def use(self, config: NodeConfig) -> None:
        """Have these roles, mint hosts and mailboxes from now on. What runs for one that is gone
        is not ended by this; see `settle` and `close_gone`."""
        self._config, self._advert = config, b""
        if self.mailbox is not None:
            self.mailbox.closing = not has_mailboxes(config)
        elif has_mailboxes(config) and self._nursery is not None:
            self._mailbox_part = await Part.start(
                self._nursery, self._offer_mailboxes(config.mailbox).run
            )

    async def settle(self) -> None:
        """Wait until nothing runs any more for roles that are gone; the caller bounds it."""
        if self.mailbox is not None and self.mailbox.closing:
            hold = self.mailbox.packets.hold
            await wait_while(lambda: len(hold))
        if "relay" not in self._config.roles:
            await wait_while(self._passing)

    async def close_gone(self) -> None:
        """End what still runs for roles that are gone."""
        if "relay" not in self._config.roles:
            for circuit in self._passing():
                circuit.destroy(DestroyReason.HIBERNATING)
            self.links.flush()
        if self.mailbox is not None and self.mailbox.closing:
            await self._close_mailboxes(self.mailbox)

    def _passing(self) -> list[RelayCircuit]:
        """Circuits that only pass through."""
        return [c for c in self.core.circuits.values() if c.next_link is not None]

    async def _close_mailboxes(self, mailbox: MailboxService) -> None:
        self.mailbox = None
        self.core.memory.others.remove(mailbox.bytes_held)
        self.core.handlers = {
            purpose: handler
            for purpose, handler in self.core.handlers.items()
            if purpose != Purpose.MAILBOX
        }
        self.links.on_link_cell[Command.PACKET] = lambda _link, _body: None  # late ones are lost
        if self._mailbox_part is not None:
            await self._mailbox_part.end()

    def leave(self) -> None:
        """The advert says from now on that this node has left."""
        self._leaving = True
        self._advert = b""

    def hide(self, hidden: bool) -> None:
        """While nobody gets in, the advert names no role; the duties stay."""
        self._hidden = hidden
        self._advert = b""

    def traffic(self) -> RelayTraffic:
        """What passed through, in sums."""
        core = self.core
        return RelayTraffic(
            circuits=len(core.circuits),
            circuits_created=core.counters.circuits_created,
            circuits_refused=core.counters.circuits_refused,
            cells_forward=core.counters.cells_forward,
            cells_backward=core.counters.cells_backward,
            cells_rejected=core.counters.cells_rejected,
            links=describe_links(self.links),
            served_bytes=core.served_bytes,
            draining=core.draining,
            work_bits=core.work_bits,
            work_asked=core.counters.work_asked,
            creates_waiting=core.creates_waiting,
            memory_bytes=core.memory.used,
            memory_budget=core.memory.budget,
            out_of_memory=core.counters.out_of_memory,
            handshakes_refused=self.links.gate.refused + self.links.gate.evicted,
            circuits_most=self._config.limits.circuits,
            links_most=self._config.limits.links,
            rate=self._config.limits.relay_rate,
            clock_off_s=self.keeper.clock.disagreement_s,
        )

    def reply_sender(self) -> ReplySender:
        """A ghost's way to answer over reply blocks, on this node's links."""
        return ReplySender(self.outlet, address_ok=self.may_dial)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; reports started once the listening address is taken."""
        if self._config.listen is None:
            raise ValueError("a relay role needs an address")
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.links.run)
                await nursery.start(self.core.run)
                self._nursery = nursery
                if self.mailbox is not None:
                    self._mailbox_part = await Part.start(nursery, self.mailbox.run)
                await nursery.start(self.links.serve, *self._config.listen)
                task_status.started()
                await self._rotate()
        finally:
            self._nursery = None
            self.keeper.close()  # after the circuits: their tasks have ended

    async def _rotate(self) -> None:
        while True:
            await trio.sleep(ROTATION_CHECK_S)
            await unless_full(self._renew)

    async def _renew(self) -> None:
        worked = await self.work.ensure(int(self.keeper.clock.now()))
        if await self.keeper.tick() or worked:
            self._advert = b""

    def advert(self) -> bytes:
        """The signed advert, renewed when its keys, its work or a part of its life are over.

        Empty until there is an address to advertise.
        """
        now = int(self.keeper.clock.now())
        if self._address is None:
            return b""
        if self._published > now + MAX_SKEW_S:  # the clock was fast: nobody took that advert
            self._published, self._advert = 0, b""
        if not self._advert or now - self._published > ADVERT_RENEW_S:
            # Strictly newer: others keep the newest, and two in one second are no two to them.
            now = self._published = max(now, self._published + 1)
            self._advert = self._make_advert(now, Address(*self._address)).encode(self._identity)
        return self._advert

    def advertise(self, host: str, port: int) -> None:
        """Others find this node here from now on."""
        self._address = (host, port)
        self._advert = b""

    def offer(self, sheet_commitment: bytes) -> None:
        """The advert names another sheet from now on."""
        self._sheet_commitment = sheet_commitment
        self._advert = b""

    def _make_advert(self, now: int, address: Address) -> Advert:
        return Advert(
            ed25519_public=self._identity.public,
            link_static=self.links.link_static,
            onion_keys=self.keeper.keys.adverts(),
            roles=Role(0) if self._leaving or self._hidden else self._roles(),
            published=now,
            expires=now + ADVERT_LIFE_S,
            addresses=(address,),
            sheet_commitment=self._sheet_commitment,
            network=self._config.network.tag,
            work_epoch=self.work.epoch,
            work_nonce=self.work.nonce,
        )

    def _roles(self) -> Role:
        config = self._config
        roles = Role.RELAY if "relay" in config.roles else Role(0)
        if "ghost" in config.roles:
            roles |= Role.GHOST
        if config.mint_hosts:
            roles |= Role.MINT_EXIT
        if self.mailbox is not None and not self.mailbox.closing:
            roles |= Role.MAILBOX
        return roles

    def _address_ok(self, node_id: bytes, host: str, port: int) -> bool:
        """Where this relay extends circuits and passes packets to."""
        return "relay" in self._config.roles and self.may_dial(node_id, host, port)

    def may_dial(self, node_id: bytes, host: str, port: int) -> bool:
        """Public addresses of other machines; in a test network local ones too."""
        return self._policy(node_id, host, port)

    def _own_addresses(self) -> set[tuple[str, int]]:
        listen = self._config.listen
        own = {address for address in (listen, self._address) if address is not None}
        return own | {(host, listen[1]) for host in self.links.own_hosts if listen is not None}
