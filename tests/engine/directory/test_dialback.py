"""Learning one's address from neighbours over real links, and being dialled back."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from engine.directory.dialback import NETWORK_BURST, DialBack
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed
from engine.link.connection import Link
from engine.link.settings import Advertised
from engine.standing import Standing
from engine.wire.reach import Verdict
from tests.helpers.network import LocalNode

pytestmark = pytest.mark.trio


class Host:
    """A node that dials neighbours back."""

    def __init__(self, place: int) -> None:
        self.node = LocalNode(f"127.{place + 1}.0.1", {})
        self.dialback = DialBack(self.node.links, lambda _node, _host, port: port >= 1_024)
        self.told: list[tuple[str, int]] = []

    async def link_to(self, other: Host) -> Link:
        node = other.node
        return await self.node.links.get(node.identity.node_id, node.host, node.port)

    def standing(self, setting: Advertised, *others: Host, tested: bool = True) -> Standing:
        relays = RelaySet(None, test_network=True)
        for other in others:
            advert = other.node.advert()
            relays.adverts.keep(advert, advert.raw)
        return Standing(
            self.node.links,
            relays,
            self.dialback,
            setting,
            self.node.identity.node_id,
            tested=tested,
            meet=trio.lowlevel.checkpoint,
            advertise=lambda host, port: self.told.append((host, port)),
            hide=lambda _hidden: None,
            rng=random.Random(1),
        )


@asynccontextmanager
async def hosts(
    count: int, monkeypatch: pytest.MonkeyPatch, *, asking: str = "127.0.0.1"
) -> AsyncIterator[list[Host]]:
    """The first is the one that asks: it listens where the system's own loopback address is, from
    which its links come."""
    monkeypatch.setattr("engine.directory.dialback.PROBE_S", 0.3)
    found = [Host(place) for place in range(count)]
    found[0].node.host = asking
    async with trio.open_nursery() as nursery:
        for host in found:
            await nursery.start(host.node.run)
        for host in found[1:]:
            await nursery.start(host.dialback.run)
        yield found
        nursery.cancel_scope.cancel()


async def test_a_neighbour_tells_the_address_and_reaches_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hosts(2, monkeypatch) as (me, other):
        answer = await me.dialback.ask(await me.link_to(other), me.node.port)
        assert (answer.host, answer.port, answer.verdict) == (
            "127.0.0.1",
            me.node.port,
            Verdict.REACHED,
        )


async def test_a_port_on_which_nobody_listens_is_not_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hosts(2, monkeypatch) as (me, other):
        answer = await me.dialback.ask(await me.link_to(other), 1_999)
        assert answer.verdict is Verdict.NOT_REACHED


async def test_what_the_policy_forbids_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosts(2, monkeypatch) as (me, other):
        answer = await me.dialback.ask(await me.link_to(other), 22)
        assert answer.verdict is Verdict.NOT_TRIED
        assert other.dialback.dialled == 0


async def test_a_neighbour_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.directory.dialback.ANSWER_TIMEOUT_S", 0.2)
    async with hosts(2, monkeypatch) as (me, other):
        other.node.links.on_link_cell.clear()
        with pytest.raises(CircuitClosed, match="did not say"):
            await me.dialback.ask(await me.link_to(other), me.node.port)


async def test_few_are_dialled_for_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosts(2, monkeypatch) as (me, other):
        link = await me.link_to(other)
        verdicts = [(await me.dialback.ask(link, me.node.port)).verdict for _ in range(8)]
        assert verdicts.count(Verdict.REACHED) == NETWORK_BURST
        assert other.dialback.refused == 8 - NETWORK_BURST


async def run_until(standing: Standing, done: trio.Event | None = None) -> None:
    """Run it until it knows (or `done`)."""
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(standing.run)
            await (done or standing.known).wait()
            nursery.cancel_scope.cancel()


async def test_an_address_is_advertised_when_two_agree_and_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hosts(4, monkeypatch) as (me, *others):
        standing = me.standing(Advertised("", me.node.port), *others)
        assert not standing.known.is_set()
        await run_until(standing)
        assert me.told == [("127.0.0.1", me.node.port)]
        assert (standing.info().state, standing.warning) == ("reachable", "")


async def test_one_witness_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosts(2, monkeypatch) as (me, other):
        standing = me.standing(Advertised("", me.node.port), other)
        assert not await standing._check()
        assert me.told == []
        assert "1 of 2" in standing.warning
        assert standing.info().state == "unknown"


async def test_a_port_that_nobody_reaches_is_not_advertised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hosts(3, monkeypatch) as (me, *others):
        standing = me.standing(Advertised("", 1_999), *others)
        assert not await standing._check()
        assert me.told == []
        assert "cannot reach" in standing.warning


async def test_a_set_address_is_advertised_at_once_and_doubted_when_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hosts(3, monkeypatch) as (me, *others):
        standing = me.standing(Advertised("203.0.113.9", me.node.port), *others)
        assert me.told == [("203.0.113.9", me.node.port)]
        assert standing.warning == ""
        assert not await standing._check()
        assert "another address" in standing.warning
        assert me.told == [("203.0.113.9", me.node.port)]


async def test_in_a_test_network_a_set_address_is_not_questioned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hosts(3, monkeypatch) as (me, *others):
        standing = me.standing(Advertised("127.0.0.1", me.node.port), *others, tested=False)
        with trio.move_on_after(0.3):
            await standing.run()
        assert standing.checked is None
        assert standing.info().state == "set"
