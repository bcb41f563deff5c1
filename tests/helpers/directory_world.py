"""Hosts that find each other over real links on loopback: the real directory role of a relay, a
clock that can be moved on, and a fence that cuts the network in two."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import trio

from engine.directory.contacts import Contact
from engine.directory.exchange import compare_directly
from engine.directory.network_settings import NetworkSettings
from engine.directory.reconcile import Report
from engine.directory.relays import RelaySet
from engine.directory_role import Acquaintance, ServingDirectory
from engine.errors import CircuitClosed
from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.wire.advert import Advert, Role
from engine.wire.frames import Purpose
from tests.helpers.network import LocalNode
from tests.helpers.patience import PATIENCE_S
from wallet.store import Store

SETTINGS = NetworkSettings(name="main", test=True, gossip_s=2, work_bits=0)
ADVERT_LIFE_S = 3_600


class MemoryStore:
    """The two methods of a store that the directory uses."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[str, str], bytes] = {}

    async def get_secret(self, kind: str, name: str) -> bytes | None:
        return self._secrets.get((kind, name))

    async def put_secret(self, kind: str, name: str, value: bytes) -> None:
        self._secrets[kind, name] = value


class WorldClock:
    """Unix seconds; everyone's adverts age at once when it is moved on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


class FencedLinks(LinkManager):
    """Links of a node that reaches only nodes on its own side of the world's fence."""

    side: Callable[[bytes], object] = staticmethod(lambda _node_id: None)
    own: bytes = b""

    async def get(self, node_id: bytes, host: str, port: int) -> Link:
        if self.side(node_id) != self.side(self.own):
            raise CircuitClosed("A relay could not be reached.")
        return await super().get(node_id, host, port)


class Host:
    """A relay: node, set of adverts and the directory role that serves and gossips."""

    def __init__(self, place: int, clock: WorldClock, settings: NetworkSettings = SETTINGS) -> None:
        self.clock = clock
        self.relays = RelaySet(None, test_network=True, network=settings.tag, clock=clock)
        self.people = Acquaintance(settings, self.relays, cast(Store, MemoryStore()))
        self.contacts: list[Contact] = []
        self.people.contacts = lambda: list(self.contacts)  # type: ignore[method-assign]
        handlers: dict[int, Callable[..., object]] = {}
        self.node = LocalNode(f"127.{place + 1}.0.1", handlers)  # type: ignore[arg-type]
        self._fence(settings)
        self._settings = settings
        self._signed: Advert | None = None
        self.directory = ServingDirectory(
            self.people, self.node.links, self.node_id, self.own_advert, clock=clock
        )
        handlers[Purpose.DIRECTORY] = self.directory.service.serve
        self._scope = trio.CancelScope()

    def _fence(self, settings: NetworkSettings) -> None:
        node = self.node
        node.links = FencedLinks(
            node.identity,
            node.suite,
            on_create=node.core.on_create,
            limits=node.limits,
            exempt=lambda _host: True,
            network=settings.tag,
        )
        node.links.own = node.identity.node_id
        node.core.links = node.links

    @property
    def node_id(self) -> bytes:
        return self.node.identity.node_id

    @property
    def links(self) -> FencedLinks:
        return cast(FencedLinks, self.node.links)

    def own_advert(self) -> bytes:
        """This node's advert, signed again at half of its life."""
        now = self.clock()
        if self._signed is None or self._signed.expires - now < ADVERT_LIFE_S / 2:
            made = self.node.advert(Role.RELAY, network=self._settings.tag)
            times = {"published": int(now), "expires": int(now) + ADVERT_LIFE_S}
            raw = Advert(**{**_fields(made), **times}).encode(self.node.identity)
            self._signed = Advert.decode(raw, int(now))
        return self._signed.raw

    def contact(self) -> Contact:
        return Contact(self.node_id, self.node.host, self.node.port)

    def known(self) -> set[bytes]:
        """The NodeIDs of its set."""
        return {advert.node_id for advert in self.relays.adverts}

    async def compare_with(self, other: Host) -> Report:
        """One comparison, as gossip makes it."""
        hop = other.node.hop("directory")
        return await compare_directly(
            self.links, hop, self.relays.adverts, suite=self.node.suite, push=True, clock=self.clock
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.node.run)
                nursery.start_soon(self.directory.run)
                task_status.started()

    def kill(self) -> None:
        """End at once; nobody is told."""
        self._scope.cancel()


def _fields(advert: Advert) -> dict[str, object]:
    names = Advert.__dataclass_fields__
    return {name: getattr(advert, name) for name in names if name != "signature"}


@dataclass
class World:
    """Hosts in one nursery, and what may stand between them."""

    nursery: trio.Nursery
    clock: WorldClock = field(default_factory=WorldClock)
    hosts: list[Host] = field(default_factory=list)
    _sides: dict[bytes, int] = field(default_factory=dict)

    async def add(
        self,
        count: int,
        contacts: Sequence[Host] = (),
        *,
        settings: NetworkSettings = SETTINGS,
    ) -> list[Host]:
        """Start hosts that know nobody but `contacts`."""
        fresh = []
        for _ in range(count):
            host = Host(len(self.hosts), self.clock, settings)
            host.contacts = [one.contact() for one in contacts]
            host.links.side = self._sides.get
            self.hosts.append(host)
            fresh.append(host)
            await self.nursery.start(host.run)
        return fresh

    def cut(self, one: Iterable[Host], other: Iterable[Host]) -> None:
        """From now on no link crosses between the two sides."""
        self._sides.update({host.node_id: 1 for host in one})
        self._sides.update({host.node_id: 2 for host in other})
        for host in self.hosts:
            for link in host.links.links:
                if self._sides.get(link.peer_node_id) != self._sides.get(host.node_id):
                    link.close()

    def mend(self) -> None:
        """Everyone may reach everyone again."""
        self._sides.clear()


async def agree(
    hosts: Sequence[Host], known: Iterable[Host], timeout_s: float = PATIENCE_S
) -> None:
    """Wait until each of `hosts` knows exactly `known`; the deadline only ends a broken test."""
    wanted = {host.node_id for host in known}
    with trio.move_on_after(timeout_s):
        while any(host.known() != wanted for host in hosts):
            await trio.sleep(0.05)
        return
    behind = [len(host.known() & wanted) for host in hosts]
    beyond = [len(host.known() - wanted) for host in hosts]
    raise AssertionError(f"of {len(wanted)} known: {behind}; that should not be known: {beyond}")


async def until(fact: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Wait until `fact()` holds; the deadline only ends a broken test."""
    with trio.move_on_after(timeout_s):
        while not fact():
            await trio.sleep(0.05)
        return
    raise AssertionError("what was waited for did not come about")


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """An empty world; everyone in it ends with the block."""
    async with trio.open_nursery() as nursery:
        yield World(nursery)
        nursery.cancel_scope.cancel()
