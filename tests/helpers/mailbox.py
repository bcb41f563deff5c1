"""Relays with mailboxes over real loopback links, a client of theirs and a ghost that answers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.path import Hop
from engine.circuit.shaping import BULK_PLAN
from engine.crypto.suite import default_suite
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed
from engine.mailbox.client import MailboxClient
from engine.mailbox.outlet import PacketOutlet
from engine.mailbox.sender import ReplySender
from engine.mailbox.service import MailboxService
from engine.mailbox.settings import MailboxSettings
from engine.wire.advert import Advert, Role
from engine.wire.directory_file import format_directory
from engine.wire.frames import Purpose
from tests.helpers.network import LocalNetwork, LocalNode, local_network

NO_HOLD = MailboxSettings(hold_ms=0)


class MailboxRelay:
    """A local node that offers the mailbox role."""

    def __init__(
        self, node: LocalNode, settings: MailboxSettings, clock: Callable[[], float]
    ) -> None:
        self.node = node
        self.service = MailboxService(
            settings,
            node.identity.node_id,
            PacketOutlet(node.links),
            address_ok=lambda _node, _host, _port: True,
            clock=clock,
        )
        node.core.handlers = {**node.handlers, Purpose.MAILBOX: self.service.serve}

    @property
    def advert(self) -> Advert:
        return self.node.advert(Role.RELAY | Role.MAILBOX)


@dataclass
class MailboxNetwork:
    """`relays` keep mailboxes; the client builds one-hop-shorter circuits through the first node;
    `sender` answers as a ghost with links of its own."""

    network: LocalNetwork
    relays: list[MailboxRelay]
    directory: RelaySet
    sender: ReplySender
    client: MailboxClient
    built: list[tuple[bytes, str]] = field(default_factory=list)

    def relay(self, node_id: bytes) -> MailboxRelay:
        """The relay of that name."""
        return next(r for r in self.relays if r.node.identity.node_id == node_id)

    async def build(self, advert: Advert, purpose: str) -> ClientCircuit:
        """A circuit guard, relay: what `CircuitPool.build_to_relay` does with more hops."""
        guard = self.network.nodes[0].hop("guard")
        address, key = advert.addresses[0], advert.onion_key_at(int(time.time()))
        if key is None:
            raise CircuitClosed("No key.")
        last = Hop(advert.node_id, address.host, address.port, key.public, "mailbox")
        circuit = ClientCircuit((guard, last), default_suite(), purpose, BULK_PLAN)
        await circuit.build(self.network.client_links)
        self.network.nursery.start_soon(circuit.run)
        self.built.append((advert.node_id, purpose))
        return circuit


@asynccontextmanager
async def mailbox_network(
    folder: Path,
    count: int = 3,
    *,
    settings: MailboxSettings = NO_HOLD,
    return_relays: int = 1,
    clock: Callable[[], float] = trio.current_time,
) -> AsyncIterator[MailboxNetwork]:
    """A plain guard, `count` relays with mailboxes, and a ghost's node, all in one process."""
    async with local_network(count + 2) as network:
        relays = [MailboxRelay(node, settings, clock) for node in network.nodes[1:-1]]
        for relay in relays:
            await network.nursery.start(relay.service.run)
        source = folder / "directory"
        source.write_text(format_directory(r.advert.encode(r.node.identity) for r in relays))
        directory = RelaySet(source, test_network=True)
        ghost = network.nodes[-1]
        sender = ReplySender(PacketOutlet(ghost.links), address_ok=lambda _node, _host, _port: True)
        world = MailboxNetwork(network, relays, directory, sender, None)  # type: ignore[arg-type]
        world.client = MailboxClient(
            world.build, directory, return_relays=return_relays, pause_s=0.05
        )
        yield world
