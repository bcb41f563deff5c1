"""Relays with a DHT on real links, a ghost beside them, and a client's way to ask them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.shaping import BULK_PLAN
from engine.crypto.suite import default_suite
from engine.directory.dht.exits import PURPOSE, LookupService
from engine.directory.dht.finder import GhostFinder
from engine.directory.dht.publisher import Publisher
from engine.directory.dht.service import DhtService
from engine.directory.dht.settings import DhtSettings
from engine.directory.paths import to_hop
from engine.directory.relays import RelaySet
from engine.directory.rules import PathRules
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.wire.advert import Advert, Role
from engine.wire.frames import Purpose
from engine.wire.network import MAIN_NETWORK
from engine.wire.record import model_capability
from tests.helpers.network import LocalNode

MODEL = model_capability(MAIN_NETWORK, "tiny")
SETTINGS = DhtSettings(k=8, soft_s=2.0, hard_s=5.0)


def relay_set(adverts: list[Advert]) -> RelaySet:
    """A set that holds these adverts."""
    relays = RelaySet(None, test_network=True)
    for advert in adverts:
        relays.adverts.add(advert.raw, int(time.time()))
    return relays


@dataclass
class DhtNode:
    """A node with its DHT."""

    node: LocalNode
    serves: bool = True
    settings: DhtSettings = SETTINGS
    relays: RelaySet = field(default_factory=lambda: relay_set([]))

    def start(self, rng: Random) -> None:
        """Make the service; the node listens already."""
        self.raw = self.node.advert(Role.RELAY if self.serves else Role.GHOST).raw
        self.dht = DhtService(
            self.node.links,
            self.relays,
            lambda: self.raw,
            network=MAIN_NETWORK,
            settings=self.settings,
            serves=self.serves,
            may_dial=lambda _node, _host, _port: True,
            clock=time.time,
            rng=rng,
        )
        if self.serves:
            self.lookups = LookupService(self.dht.find_values)
            self.node.core.handlers = {
                **self.node.core.handlers,
                Purpose.LOOKUP: self.lookups.serve,
            }

    def publisher(self) -> Publisher:
        """What a ghost on this node does."""
        return Publisher(
            self.dht, self.node.identity, [MODEL], lambda: self.raw, bits=0, clock=time.time
        )


@dataclass
class DhtWorld:
    """Relays, one ghost that no set names, a client."""

    relays: list[DhtNode]
    ghost: DhtNode
    client_links: LinkManager
    client_set: RelaySet
    nursery: trio.Nursery
    asked: list[bytes] = field(default_factory=list)

    async def build(self, relay: Advert) -> ClientCircuit:
        """A circuit of three hops to `relay`."""
        self.asked.append(relay.node_id)
        now = int(time.time())
        others = [one.node for one in self.relays if one.node.identity.node_id != relay.node_id]
        path = (others[0].hop("guard"), others[1].hop("middle"), to_hop(relay, "exit", now))
        circuit = ClientCircuit(path, default_suite(), PURPOSE, BULK_PLAN)
        await circuit.build(self.client_links)
        self.nursery.start_soon(circuit.run)
        return circuit

    def finder(self) -> GhostFinder:
        """The client's search."""
        return GhostFinder(
            self.build,
            lambda circuit: circuit.close("looked up"),
            self.client_set,
            rules=PathRules(),
            work_bits=0,
            clock=time.time,
            rng=Random(5),
        )


@asynccontextmanager
async def dht_world(count: int = 12) -> AsyncIterator[DhtWorld]:
    """`count` relays in networks of their own that all know each other, and a ghost unknown."""
    nodes = [DhtNode(LocalNode(f"127.{place + 1}.0.1", {})) for place in range(count)]
    ghost = DhtNode(LocalNode(f"127.{count + 1}.0.1", {}), serves=False)
    links = LinkManager(Identity.generate(), default_suite(), on_create=None)
    async with trio.open_nursery() as nursery:
        await nursery.start(links.run)
        for one in (*nodes, ghost):
            await nursery.start(one.node.run)
        adverts = [one.node.advert() for one in nodes]
        for place, one in enumerate((*nodes, ghost)):
            one.relays = relay_set(adverts)
            one.start(Random(place))
            await nursery.start(one.dht.run)
        yield DhtWorld(nodes, ghost, links, relay_set(adverts), nursery)
        nursery.cancel_scope.cancel()
