"""A whole onion network in one process over real TCP links on loopback, for tests and benches."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from engine.circuit.addresses import is_local
from engine.circuit.client import ClientCircuit
from engine.circuit.onion_keys import OnionKeys
from engine.circuit.path import Hop
from engine.circuit.relay import StreamHandler
from engine.circuit.relay_core import RelayCore
from engine.circuit.shaping import BULK_PLAN, ShapePlan
from engine.circuit.stream import CircuitStream
from engine.crypto.suite import default_suite
from engine.identity import Identity
from engine.limits import Limits
from engine.link.manager import LinkManager
from engine.wire.advert import Address, Advert, Role
from engine.wire.frames import Purpose


async def echo(stream: CircuitStream, _request: bytes) -> None:
    """Send back whatever comes, then the end mark."""
    stream.accept()
    while data := await stream.receive_some():
        await stream.send_all(data)
    await stream.send_eof()


AMPLE = Limits(create_rate=10_000, create_burst=100_000, create_cpu_percent=90)
"""For tests and benches that build circuits by the hundred from one client."""


@dataclass
class LocalNode:
    """A relay core with its links, listening on its own 127.x.0.1."""

    host: str
    handlers: Mapping[int, StreamHandler]
    suite: int = field(default_factory=default_suite)
    faults: list[Exception] = field(default_factory=list)
    limits: Limits = AMPLE

    def __post_init__(self) -> None:
        self.identity = Identity.generate()
        self.keys = OnionKeys(None, int(time.time()))
        self.core = RelayCore(
            self.identity.node_id,
            self.keys.private_keys,
            handlers=self.handlers,
            address_ok=lambda _node, _host, _port: True,
            on_fault=self.faults.append,
            limits=self.limits,
        )
        self.links = LinkManager(
            self.identity,
            self.suite,
            on_create=self.core.on_create,
            limits=self.limits,
            rate=self.limits.relay_rate,
            exempt=is_local if self.limits is AMPLE else lambda _host: False,
        )
        self.core.links = self.links
        self.port = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.links.run)
            await nursery.start(self.core.run)
            self.port = await nursery.start(self.links.serve, self.host, 0)
            task_status.started()

    def hop(self, role: str) -> Hop:
        """This node as a hop of a path."""
        onion_key = self.keys.adverts()[-1].public
        return Hop(self.identity.node_id, self.host, self.port, onion_key, role)

    def advert(self, roles: Role = Role.RELAY, **changes: bytes) -> Advert:
        """This node's advert, signed and parsed again."""
        now = int(time.time())
        advert = Advert(
            ed25519_public=self.identity.public,
            link_static=self.links.link_static,
            onion_keys=self.keys.adverts(),
            roles=roles,
            published=now,
            expires=now + 3_600,
            addresses=(Address(self.host, self.port),),
            **changes,  # type: ignore[arg-type]
        )
        return Advert.decode(advert.encode(self.identity), now)


@dataclass
class LocalNetwork:
    """Nodes, and a client's links in the same nursery."""

    nodes: list[LocalNode]
    client_links: LinkManager
    nursery: trio.Nursery

    def path(self, *places: int) -> tuple[Hop, ...]:
        """Hops through the nodes at these places; by default all of them."""
        chosen = [self.nodes[place] for place in (places or range(len(self.nodes)))]
        roles = ["guard", *["middle"] * (len(chosen) - 2), "ghost"][: len(chosen)]
        return tuple(n.hop(role) for n, role in zip(chosen, roles, strict=True))

    async def circuit(
        self, *places: int, plan: ShapePlan = BULK_PLAN, suite: int | None = None
    ) -> ClientCircuit:
        """A circuit through these nodes, built and running."""
        circuit = ClientCircuit(self.path(*places), suite or default_suite(), "test", plan)
        await circuit.build(self.client_links)
        self.nursery.start_soon(circuit.run)
        return circuit


@asynccontextmanager
async def local_network(
    count: int = 4,
    handlers: Mapping[int, StreamHandler] | None = None,
    *,
    kinds: Mapping[int, Callable[..., LocalNode]] | None = None,
) -> AsyncIterator[LocalNetwork]:
    """`count` nodes that serve `handlers` (an echo by default) and a client's links.

    `kinds` says which places are taken by somebody else than a LocalNode.
    """
    nodes = [
        (kinds or {}).get(place, LocalNode)(
            f"127.{place + 1}.0.1", handlers or {Purpose.SESSION: echo}
        )
        for place in range(count)
    ]
    links = LinkManager(Identity.generate(), default_suite(), on_create=None)
    async with trio.open_nursery() as nursery:
        await nursery.start(links.run)
        for node in nodes:
            await nursery.start(node.run)
        yield LocalNetwork(nodes, links, nursery)
        nursery.cancel_scope.cancel()
