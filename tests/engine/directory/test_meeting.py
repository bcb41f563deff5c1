"""Nodes that meet over real links: introductions, first contacts, comparisons, bad neighbours."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.crypto.suite import default_suite
from engine.directory.bootstrap import WANTED_SOURCES, Bootstrap
from engine.directory.contacts import Contact
from engine.directory.exchange import BEGIN, DirectoryService, compare_directly, fetch_sheet
from engine.directory.introductions import Introductions
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, ProtocolError
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.wire import directory as wire
from engine.wire.advert import Role
from engine.wire.frames import Purpose
from engine.wire.introduction import encode_introduction, parse_introduction
from engine.wire.shape import BULK_PLAN
from tests.helpers.adverts import advert_of
from tests.helpers.network import LocalNode

pytestmark = pytest.mark.trio


class Host:
    """A node of tests/helpers/network.py that serves its directory."""

    def __init__(self, place: int) -> None:
        self.relays = RelaySet(None, test_network=True)
        self.news = 0
        self.service = DirectoryService(self.relays.adverts, on_news=self._on_news)
        self.node = LocalNode(f"127.{place + 1}.0.1", {Purpose.DIRECTORY: self.service.serve})
        self.introductions = Introductions(self.node.links, self.advert)

    def _on_news(self) -> None:
        self.news += 1

    def advert(self) -> bytes:
        return self.node.advert().raw

    def contact(self) -> Contact:
        return Contact(self.node.identity.node_id, self.node.host, self.node.port)

    def knows(self, other: Host) -> bool:
        return self.relays.get(other.node.identity.node_id) is not None

    def learn(self, *others: Host) -> None:
        for other in (self, *others):
            self.relays.adverts.add(other.advert(), int(time.time()))

    def bootstrap(
        self, contacts: Sequence[Contact], *, push: bool = True, patience_s: float = 0.0
    ) -> Bootstrap:
        return Bootstrap(
            self.node.links,
            self.introductions,
            self.relays,
            lambda: contacts,
            suite=default_suite(),
            push=push,
            clock=time.time,
            patience_s=patience_s,
        )


async def _after(seconds: float, deed: Callable[[], None]) -> None:
    await trio.sleep(seconds)
    deed()


@asynccontextmanager
async def hosts(count: int) -> AsyncIterator[list[Host]]:
    found = [Host(place) for place in range(count)]
    async with trio.open_nursery() as nursery:
        for host in found:
            await nursery.start(host.node.run)
        yield found
        nursery.cancel_scope.cancel()


async def test_a_node_that_knows_one_address_learns_the_whole_set() -> None:
    async with hosts(5) as (new, first, *others):
        first.learn(*others)
        report = await new.bootstrap([first.contact()]).run()
        assert list(report.answered) == [first.node.identity.node_id]
        assert all(new.knows(host) for host in (first, *others))


async def test_with_push_the_contact_learns_the_newcomer() -> None:
    async with hosts(2) as (new, first):
        first.learn()
        new.learn()
        await new.bootstrap([first.contact()]).run()
        assert first.knows(new)
        assert first.news == 1


async def test_a_client_leaves_no_trace_in_the_set() -> None:
    async with hosts(2) as (new, first):
        first.learn()
        new.learn()
        await new.bootstrap([first.contact()], push=False).run()
        assert new.knows(first)
        assert not first.knows(new)
        assert new.node.links.find(first.node.identity.node_id) is None  # no link is left either


async def test_several_contacts_are_asked_and_dead_ones_are_named() -> None:
    async with hosts(6) as (new, *others):
        for host in others:
            host.learn()
        dead = Contact(Identity.generate().node_id, "127.9.0.1", 9)
        bootstrap = new.bootstrap([dead, *(host.contact() for host in others)])
        report = await bootstrap.run()
        assert len(report.answered) >= WANTED_SOURCES
        assert set(report.failed) <= {dead.node_id}


async def test_a_patient_node_waits_for_a_second_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """One contact answers, another only later: the node asks again before it is content."""
    monkeypatch.setattr("engine.directory.introductions.ANSWER_TIMEOUT_S", 0.2)
    async with hosts(3) as (new, first, late):
        first.learn()
        late.learn()
        contacts = [first.contact(), late.contact()]
        late.introductions._own_advert, answer = None, late.introductions._own_advert

        def recover() -> None:
            late.introductions._own_advert = answer

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_after, 0.5, recover)
            report = await new.bootstrap(contacts, patience_s=5.0).run()
        assert set(report.answered) == {c.node_id for c in contacts}
        assert report.is_enough
        assert report.failed == {}


async def test_a_contact_that_is_somebody_else_is_refused() -> None:
    async with hosts(3) as (new, first, other):
        first.learn()
        wrong = Contact(other.node.identity.node_id, first.node.host, first.node.port)
        report = await new.bootstrap([wrong]).run()
        assert list(report.failed) == [other.node.identity.node_id]
        assert len(new.relays.adverts) == 0


async def test_a_contact_that_shows_an_advert_of_somebody_else_is_refused() -> None:
    async with hosts(3) as (new, first, other):
        first.introductions._own_advert = other.advert
        report = await new.bootstrap([first.contact()]).run()
        assert list(report.failed) == [first.node.identity.node_id]


async def test_a_node_without_an_advert_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.directory.introductions.ANSWER_TIMEOUT_S", 0.2)
    async with hosts(2) as (new, first):
        first.introductions._own_advert = None
        with pytest.raises(CircuitClosed, match="introduce"):
            await new.introductions.ask(first.contact())


async def test_a_service_that_comes_late_is_heard_on_links_that_exist() -> None:
    async with hosts(2) as (one, other):
        other.node.links.on_link_cell.clear()
        contact = other.contact()
        await one.node.links.get(contact.node_id, contact.host, contact.port)
        await trio.sleep(0.1)
        Introductions(other.node.links, other.advert)
        assert await one.introductions.ask(contact) == other.advert()


async def test_two_questions_at_once_are_both_answered() -> None:
    async with hosts(2) as (new, first):
        found: list[bytes] = []

        async def ask() -> None:
            found.append(await new.introductions.ask(first.contact()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
        assert len(found) == 2


async def test_comparing_twice_brings_nothing_new() -> None:
    async with hosts(2) as (one, other):
        other.learn()
        one.learn()
        for number in range(1, 300):
            other.relays.adverts.add(
                advert_of(number, published=int(time.time()) - 5), int(time.time())
            )
        first, second = [
            await compare_directly(
                one.node.links,
                other.node.hop("directory"),
                one.relays.adverts,
                suite=default_suite(),
                push=True,
            )
            for _ in range(2)
        ]
        assert (first.kept, first.offered) == (300, 1)
        assert second.agree
        assert len(one.relays.with_role(Role.RELAY)) == 301


async def test_a_node_hands_out_its_sheet() -> None:
    async with hosts(2) as (one, other):
        other.service._sheet = b"a sheet"
        circuit = ClientCircuit(
            (other.node.hop("directory"),), default_suite(), "directory", BULK_PLAN
        )
        await circuit.build(one.node.links)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(circuit.run)
            assert await fetch_sheet(circuit.open_stream(BEGIN)) == b"a sheet"
            nursery.cancel_scope.cancel()


class Liar(DirectoryService):
    """Answers every request with the same bytes."""

    answer = b""

    async def _answer(self, stream: object) -> None:
        await stream.receive_some()  # type: ignore[attr-defined]
        await stream.send_all(self.answer)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "answer",
    [
        wire.encode(wire.Kept(1, 0)),
        wire.encode(wire.Summary(1, bytes(4_096))) * 2,
        b"\x00\x00\x00\x01\xff",
        b"\xff\xff\xff\xff",
    ],
    ids=["another answer", "two answers", "no message", "too long"],
)
async def test_a_directory_that_breaks_the_rules_costs_one_comparison(answer: bytes) -> None:
    async with hosts(2) as (one, other):
        liar = Liar(other.relays.adverts, on_news=lambda: None)
        liar.answer = answer
        other.node.core.handlers = {Purpose.DIRECTORY: liar.serve}
        with pytest.raises((ProtocolError, CircuitClosed)):
            await compare_directly(
                one.node.links,
                other.node.hop("directory"),
                one.relays.adverts,
                suite=default_suite(),
                push=False,
            )
        assert len(one.relays.adverts) == 0


async def test_a_silent_directory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.directory.exchange.ANSWER_TIMEOUT_S", 0.2)

    async def silent(stream: object, _request: bytes) -> None:
        stream.accept()  # type: ignore[attr-defined]
        await trio.sleep_forever()

    async with hosts(2) as (one, other):
        other.node.core.handlers = {Purpose.DIRECTORY: silent}
        with pytest.raises(CircuitClosed, match="in time"):
            await compare_directly(
                one.node.links,
                other.node.hop("directory"),
                one.relays.adverts,
                suite=default_suite(),
                push=False,
            )


async def test_nodes_of_two_networks_do_not_meet() -> None:
    async with hosts(2) as (one, other):
        one.node.links = LinkManager(
            one.node.identity, default_suite(), on_create=None, network=b"elsewhr."
        )
        one.introductions = Introductions(one.node.links, one.advert)
        async with trio.open_nursery() as nursery:
            await nursery.start(one.node.links.run)
            report = await one.bootstrap([other.contact()]).run()
            nursery.cancel_scope.cancel()
        assert list(report.failed) == [other.node.identity.node_id]


@pytest.mark.parametrize("advert", [b"", b"x", bytes(range(256)) * 2])
async def test_introductions_round_trip(advert: bytes) -> None:
    assert parse_introduction(encode_introduction(advert)) == advert


@pytest.mark.parametrize(
    "body", [b"", bytes(2_023), b"\x02\x01" + bytes(2_022), b"\x00\x01a\x01" + bytes(2_020)]
)
async def test_malformed_introductions_are_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_introduction(body)
