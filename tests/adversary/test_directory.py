"""Attacks on finding the network: a poisoned contact, a bridge between networks, differing views,
bad adverts, and what directory nodes learn of a client's circuits. Real hosts over TCP.

The adversary of each test is an object here; its criterion is in the test's docstring.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import cast

import pytest
import trio

from engine.circuit.pool import CircuitPool
from engine.crypto.suite import default_suite
from engine.directory.adverts import AdvertSet, Outcome
from engine.directory.bootstrap import Bootstrap
from engine.directory.exchange import compare_directly
from engine.directory.guards import GuardList
from engine.directory.introductions import Introductions
from engine.directory.network_settings import NetworkSettings
from engine.directory.reconcile import Librarian
from engine.directory.refresh import Refresh
from engine.directory.relays import RelaySet
from engine.directory_role import Acquaintance, AskingDirectory
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.wire import directory as wire
from engine.wire.advert import ADVERT_LABEL, MAX_ADVERT_BYTES, Advert, Role
from engine.wire.frames import Purpose
from engine.wire.network import network_tag
from engine.wire.shape import BULK_PLAN
from tests.helpers.adverts import advert_of
from tests.helpers.correlation import coincidence
from tests.helpers.directory_world import SETTINGS, Host, MemoryStore, World, agree, until, world
from tests.helpers.network import LocalNode, echo
from wallet.store import Store

pytestmark = pytest.mark.trio

HONEST = 8
SYBILS = 40


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rumours are gathered for shorter, own adverts looked after more often, than in life."""
    monkeypatch.setattr("engine.directory.gossip.RUMOUR_S", 0.3)
    monkeypatch.setattr("engine.directory.gossip.LONELY_S", 0.3)
    monkeypatch.setattr("engine.directory_role.OWN_CHECK_S", 1.0)


class PoisonedContact:
    """A node that proves its identity, keeps to the protocol, and shows only its own people."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.sybils = AdvertSet()
        now = int(time.time())
        for number in range(1, SYBILS + 1):
            self.sybils.add(advert_of(number, host=f"127.{100 + number}.0.1", published=now), now)
        self.sybils.add(host.own_advert(), now)
        host.directory.service._adverts = self.sybils

    def owns(self, node_id: bytes) -> bool:
        return self.sybils.get(node_id) is not None


@dataclass
class Joiner:
    """A client that knows nobody yet."""

    links: LinkManager
    relays: RelaySet
    bootstrap: Bootstrap

    def known(self) -> set[bytes]:
        return {advert.node_id for advert in self.relays.adverts}


async def joiner(nursery: trio.Nursery, contacts: Sequence[Host]) -> Joiner:
    """A client with these contacts, before it asked any."""
    relays = RelaySet(None, test_network=True)
    links = LinkManager(Identity.generate(), default_suite(), on_create=None)
    await nursery.start(links.run)
    bootstrap = Bootstrap(
        links,
        Introductions(links, None),
        relays,
        lambda: [host.contact() for host in contacts],
        suite=default_suite(),
        push=False,
        clock=time.time,
    )
    return Joiner(links, relays, bootstrap)


async def honest_network(hosts: World, count: int = HONEST) -> list[Host]:
    """Hosts that all know each other."""
    (first,) = await hosts.add(1)
    everyone = [first, *await hosts.add(count - 1, [first])]
    await agree(everyone, everyone)
    return everyone


# -- the first contacts ------------------------------------------------------------------------


async def test_one_honest_contact_undoes_a_poisoned_one() -> None:
    """Criterion: beside a poisoned contact that shows 40 Sybils and hides everyone, one honest
    contact is enough for the joining client to know every honest relay. With the poisoned one alone
    it knows none (so the test sees the attack)."""
    async with world() as hosts:
        honest = await honest_network(hosts)
        (bad_host,) = await hosts.add(1)
        poison = PoisonedContact(bad_host)

        alone = await joiner(hosts.nursery, [poison.host])
        await alone.bootstrap.run()
        assert alone.known()
        assert all(poison.owns(node_id) for node_id in alone.known())

        listed = await joiner(hosts.nursery, [poison.host, honest[3]])
        await listed.bootstrap.run()
        assert {host.node_id for host in honest} <= listed.known()


async def test_a_relay_that_joined_through_a_poisoned_contact_is_freed_by_gossip() -> None:
    """Criterion: a relay whose only contact is poisoned becomes known to the honest and knows them
    once a single honest relay compares with it."""
    async with world() as hosts:
        honest = await honest_network(hosts)
        (bad_host,) = await hosts.add(1)
        poison = PoisonedContact(bad_host)
        (caught,) = await hosts.add(1, [poison.host])
        await until(lambda: len(caught.known()) > SYBILS)
        assert not caught.known() & {host.node_id for host in honest}
        honest[0].relays.adverts.add(caught.own_advert(), int(time.time()))
        await honest[0].compare_with(caught)
        assert {host.node_id for host in honest} <= caught.known()


# -- two networks ------------------------------------------------------------------------------


class Bridge:
    """A node with one identity and links in two networks, that carries over what it can."""

    def __init__(self, one: NetworkSettings, other: NetworkSettings) -> None:
        identity = Identity.generate()
        self.links = {
            settings.tag: LinkManager(
                identity, default_suite(), on_create=None, network=settings.tag
            )
            for settings in (one, other)
        }
        self.loot = AdvertSet()  # takes adverts of any network

    async def carry(self, source: Host, target: Host) -> tuple[int, int]:
        """Take everything from one host and offer it to another: (offered, known there after)."""
        for host in (source, target):
            await compare_directly(
                self.links[host.relays._network],
                host.node.hop("directory"),
                self.loot,
                suite=default_suite(),
                push=True,
            )
        return len(self.loot), len(target.known())


async def test_two_networks_do_not_mix_although_a_node_bridges_them() -> None:
    """Criterion: a bridging node that offers each network the adverts of the other leaves both sets
    as they were, and its links show no way across."""
    elsewhere = replace(SETTINGS, name="elsewhere")
    async with world() as hosts:
        here = await honest_network(hosts, 5)
        (first,) = await hosts.add(1, settings=elsewhere)
        there = [first, *await hosts.add(4, [first], settings=elsewhere)]
        await agree(there, there)
        bridge = Bridge(SETTINGS, elsewhere)
        for links in bridge.links.values():
            await hosts.nursery.start(links.run)
        offered, known = await bridge.carry(here[0], there[0])
        assert (offered, known) == (10, 5)
        offered, known = await bridge.carry(there[1], here[1])
        assert (offered, known) == (10, 5)

        # A host told of the other network by hand finds that nobody there answers its links.
        here[2].contacts = [there[0].contact()]
        report = await here[2].directory.bootstrap.run()
        assert list(report.failed) == [there[0].node_id]
        await agree(here, here)
        await agree(there, there)


# -- bad adverts -------------------------------------------------------------------------------


def _bad_adverts(now: int) -> Iterable[tuple[str, bytes]]:
    good = advert_of(1, published=now)
    yield "damaged", good[:-1] + bytes([good[-1] ^ 1])
    yield "stale", advert_of(2, published=now - 7_200, life_s=3_600)
    yield "from the future", advert_of(3, published=now + 86_400)
    yield "oversized", good + bytes(MAX_ADVERT_BYTES)
    yield "foreign", _foreign(now)
    yield "not an advert", ADVERT_LABEL


def _foreign(now: int) -> bytes:
    identity = Identity.generate()
    plain = Advert.decode(advert_of(4, published=now), now)
    return replace(plain, ed25519_public=identity.public, network=network_tag("elsewhere")).encode(
        identity
    )


async def test_bad_adverts_are_refused_before_they_are_stored() -> None:
    """Criterion: of a damaged, stale, premature, oversized and foreign advert offered over the wire
    none is stored; one without its proof of work neither, where the network asks for one."""
    now = int(time.time())
    relays = RelaySet(None, test_network=True)
    for what, raw in _bad_adverts(now):
        assert relays.adverts.add(raw, now) is Outcome.REFUSED, what
    dear = RelaySet(None, test_network=True, work_bits=8)
    librarian = Librarian(dear.adverts)
    cheap = tuple(advert_of(number, published=now) for number in range(1, 5))
    assert librarian.answer(wire.Put(cheap), now) == wire.Kept(0, 4)
    assert len(relays.adverts) == len(dear.adverts) == 0


# -- different views ---------------------------------------------------------------------------


class Partial:
    """A relay that shows some clients' half of the network and hides the rest."""

    def __init__(self, host: Host, shown: Sequence[Host]) -> None:
        raws = [one.own_advert() for one in shown]
        ids = {one.node_id for one in shown}
        self.view = AdvertSet(admits=lambda advert: advert.node_id in ids)
        for raw in raws:
            self.view.add(raw, int(time.time()))
        host.directory.service._adverts = self.view


async def test_two_clients_fed_different_views_notice() -> None:
    """Criterion: of eight relays two lie, each showing its client only half of the network. Both
    clients know all eight after one refresh from three sources, and each refresh that asked a liar
    names exactly the liars it asked."""
    async with world() as hosts:
        everyone = await honest_network(hosts)
        left, right = everyone[:4], everyone[4:]
        Partial(left[0], left)
        Partial(right[0], right)
        liars = {left[0].node_id, right[0].node_id}
        for contact in (left[0], right[0]):
            client = await joiner(hosts.nursery, [contact])
            await client.bootstrap.run()
            assert len(client.known()) == 4
            named, asked = await refreshes(client, everyone, 12)
            assert len(client.known()) == HONEST
            assert named == liars & asked
            assert named  # in twelve refreshes a liar was asked (but for one chance in 1,000)


async def refreshes(
    client: Joiner, hosts: Sequence[Host], count: int
) -> tuple[set[bytes], set[bytes]]:
    """Refresh several times: who was named as dissenting, and who was asked at all."""
    by_id = {host.node_id: host for host in hosts}
    named: set[bytes] = set()
    asked: set[bytes] = set()

    async def compare(relay: Advert) -> object:
        asked.add(relay.node_id)
        return await compare_directly(
            client.links,
            by_id[relay.node_id].node.hop("directory"),
            client.relays.adverts,
            suite=default_suite(),
            push=False,
        )

    async def nothing() -> None:
        pass

    for number in range(count):
        refresh = Refresh(
            client.relays,
            compare,  # type: ignore[arg-type]
            bootstrap=client.bootstrap.run,
            changed=nothing,
            spread_s=-1,  # these adverts were published just now
            rng=Random(number),
        )
        await refresh._pass()
        assert refresh.agreement is not None
        if number:  # before the first one the client knew half of the network itself
            named |= set(refresh.agreement.dissenting)
    return named, asked


# -- what directory nodes learn ----------------------------------------------------------------


@dataclass
class Noted:
    """One request at one node."""

    at: float
    node_id: bytes
    request: wire.Message


class CuriousDirectory:
    """The adversary: every directory node, each writing down all it is asked, and when."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.notes: list[Noted] = []
        self._whose: dict[int, bytes] = {}
        plain = Librarian.answer

        def answer(librarian: Librarian, request: wire.Message, now: int) -> wire.Answer:
            owner = self._whose.get(id(librarian._adverts))
            if owner is not None:
                self.notes.append(Noted(trio.current_time(), owner, request))
            return plain(librarian, request, now)

        monkeypatch.setattr(Librarian, "answer", answer)

    def watch(self, host: Host) -> None:
        self._whose[id(host.relays.adverts)] = host.node_id

    def before_each(self, moments: Sequence[float]) -> list[frozenset[bytes]]:
        """Which nodes were asked anything between each circuit and the one before it."""
        return [
            frozenset(note.node_id for note in self.notes if start < note.at <= end)
            for start, end in pairwise([0.0, *moments])
        ]


class Careless:
    """The control: a client that asks a relay for its advert just before it goes through it."""

    def __init__(self, curious: CuriousDirectory) -> None:
        self._curious = curious

    def look_up(self, nodes: Iterable[bytes]) -> None:
        for node_id in nodes:
            self._curious.notes.append(Noted(trio.current_time(), node_id, wire.Sum()))


CIRCUITS = 100
RELAYS = 12


@pytest.mark.parametrize("careless", [False, True], ids=["ours", "control"])
async def test_directory_nodes_learn_nothing_of_a_hundred_circuits(
    careless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Criterion: all twelve directory nodes write down every request while a client that refreshes
    its set all the time builds a hundred circuits. Requests name no relay (the set is compared as a
    whole, nothing is fetched that is held), and which nodes were asked before a circuit goes
    together with its hops as often as chance has it. A client that looks its hops up is found out.
    """
    curious = CuriousDirectory(monkeypatch)
    async with world() as hosts:
        relays = await honest_network(hosts, RELAYS)
        ghost = LocalNode("127.77.0.1", {Purpose.SESSION: echo})
        await hosts.nursery.start(ghost.run)
        client = await OnionClient.start(hosts, relays)
        for host in relays:
            curious.watch(host)
        hops, moments = await client.build(
            ghost.advert(Role.GHOST), Careless(curious) if careless else None
        )
    # Gossip among the relays is part of what is noted: an observer cannot leave it out either.
    chance = coincidence(curious.before_each(moments), hops, Random(4))
    assert not [note for note in curious.notes if isinstance(note.request, wire.Get)]
    assert len(curious.notes) > CIRCUITS
    assert (chance < 0.0002) is careless


class OnionClient:
    """A client's pool and directory, refreshing all the time."""

    def __init__(self, pool: CircuitPool, directory: AskingDirectory) -> None:
        self._pool = pool
        self._directory = directory

    @classmethod
    async def start(cls, hosts: World, contacts: Sequence[Host]) -> OnionClient:
        """A client that has learned the whole set."""
        relays = RelaySet(None, test_network=True)
        people = Acquaintance(SETTINGS, relays, cast(Store, MemoryStore()))
        people.contacts = lambda: [h.contact() for h in contacts]  # type: ignore[method-assign]
        links = LinkManager(Identity.generate(), default_suite(), on_create=None)
        await hosts.nursery.start(links.run)

        async def forget(_sample: object) -> None:
            pass

        pool = CircuitPool(
            links,
            relays,
            GuardList(),
            suite=default_suite(),
            save_guards=forget,
            on_change=lambda *_change: None,
        )
        await hosts.nursery.start(pool.run)
        directory = AskingDirectory(people, links, pool, on_change=lambda: None)
        directory.refresh._refresh_s = 0.02
        await hosts.nursery.start(directory.run)
        await until(lambda: directory.refresh.agreement is not None)
        return cls(pool, directory)

    async def build(
        self, ghost: Advert, careless: Careless | None
    ) -> tuple[list[frozenset[bytes]], list[float]]:
        """A hundred circuits to the ghost: the relays of each, and when it was built."""
        pauses = Random(5)
        hops: list[frozenset[bytes]] = []
        moments: list[float] = []
        while len(hops) < CIRCUITS:
            circuit = await self._pool.build_to(ghost, "test", BULK_PLAN)
            path = frozenset(hop.node_id for hop in circuit.path[:-1])
            if careless is not None:
                careless.look_up(path)
            moments.append(trio.current_time())
            hops.append(path)
            self._pool.retire(circuit)
            await trio.sleep(pauses.uniform(0, 0.03))
        return hops, moments
