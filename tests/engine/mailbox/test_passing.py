# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Packets through one relay, on a virtual clock: layered, held, paced, boxed, or dropped."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import MockClock

from engine.crypto.packets import PACKET_BYTES, layer, slot_order
from engine.mailbox import passing
from engine.mailbox.boxes import BoxTable
from engine.mailbox.outlet import MAX_QUEUED, PacketOutlet
from engine.mailbox.pace import ACCEPT_BURST, SEND_BURST, SEND_RATE
from engine.mailbox.passing import PacketPlane
from engine.mailbox.slots import SlotTable
from engine.wire.mailbox import Batch
from tests.engine.mailbox.fakes import FakeLink, FakeLinks
from tests.engine.mailbox.support import ONWARD, batch, handles, slot_handle, slot_key

pytestmark = pytest.mark.trio
PAYLOAD = os.urandom(PACKET_BYTES)
NEXT_SEED = os.urandom(32)


class Relay:
    """A packet plane between fake links."""

    def __init__(self, hold_s: float) -> None:
        self.links = FakeLinks()
        self.slots, self.boxes = SlotTable(), BoxTable(1 << 24)
        self.plane = PacketPlane(
            PacketOutlet(self.links.manager),
            self.slots,
            self.boxes,
            hold_s=hold_s,
            rng=Random(3),
        )
        self.next = FakeLink()
        self.ghost = FakeLink()
        self.counters = self.plane.counters

    def route(self, cells: int = 16) -> Batch:
        new = batch(cells)
        self.slots.register(new, trio.current_time(), onward=ONWARD, next_seed=NEXT_SEED)
        return new

    def send(self, handle: bytes, payload: bytes = PAYLOAD) -> None:
        self.plane.on_packet(self.ghost.link, memoryview(handle + payload))


@asynccontextmanager
async def relay(hold_s: float = 0.0, *, connected: bool = True) -> AsyncIterator[Relay]:
    made = Relay(hold_s)
    made.links.reachable[ONWARD.node_id] = made.next
    if connected:
        made.links.open[ONWARD.node_id] = made.next
    async with trio.open_nursery() as nursery:
        await nursery.start(made.plane.run)
        yield made
        nursery.cancel_scope.cancel()


async def test_a_packet_goes_on_under_another_handle_and_a_layer(autojump_clock: MockClock) -> None:
    async with relay() as r:
        new = r.route()
        for place, handle in enumerate(handles(new)):
            r.send(handle)
            await trio.sleep(0.1)
            _, body = r.next.bodies[place]
            order = slot_order(new.key_seed, 16)
            assert body[:16] == slot_handle(NEXT_SEED, order[place])
            assert layer(slot_key(new.key_seed, place), body[16:]) == PAYLOAD
        assert r.counters.passed == 16
        assert r.counters.dropped == 0


async def test_nothing_but_a_fresh_handle_passes(autojump_clock: MockClock) -> None:
    async with relay() as r:
        used, late = r.route(), r.route()
        r.send(handles(used)[0])
        r.send(handles(used)[0])
        r.send(os.urandom(16))
        await trio.sleep(3_600)
        r.send(handles(late)[0])
        await trio.sleep(1)
        assert (len(r.next.bodies), r.counters.dropped_unknown) == (1, 3)
        assert r.ghost.bodies == []


async def test_packets_are_held_and_come_out_in_another_order(autojump_clock: MockClock) -> None:
    async with relay(hold_s=0.25) as r:
        new = r.route(256)
        for handle in handles(new):
            r.send(handle)
        await trio.sleep(10)
        times = [at for at, _ in r.next.bodies]
        assert len(times) == 256
        assert 0.2 < sum(times) / 256 < 0.3
        order = slot_order(new.key_seed, 256)
        came = [body[:16] for _, body in r.next.bodies]
        assert came != [slot_handle(NEXT_SEED, place) for place in order]


async def test_a_link_is_paced_in_and_out(autojump_clock: MockClock) -> None:
    async with relay() as r:
        batches = [r.route(1_024) for _ in range(3)]
        for new in batches:
            for handle in handles(new):
                r.send(handle)
        assert r.counters.dropped_flood == 3 * 1_024 - ACCEPT_BURST
        await trio.sleep(0)
        await trio.sleep(0.5)
        early = len(r.next.bodies)
        assert abs(early - SEND_BURST - SEND_RATE / 2) <= 2
        await trio.sleep(10)
        assert len(r.next.bodies) == ACCEPT_BURST


async def test_a_next_relay_is_dialled_once_for_all_that_wait(autojump_clock: MockClock) -> None:
    async with relay(connected=False) as r:
        for handle in handles(r.route())[:5]:
            r.send(handle)
        await trio.sleep(2)
        assert (r.links.dials, len(r.next.bodies)) == (1, 5)


async def test_what_cannot_be_reached_is_dropped(autojump_clock: MockClock) -> None:
    async with relay(connected=False) as r:
        r.links.reachable.clear()
        for handle in handles(r.route())[:5]:
            r.send(handle)
        await trio.sleep(5)
        assert (r.links.dials, r.counters.dropped_unreachable) == (1, 5)


async def test_waiting_for_dials_is_bounded(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "MAX_WAITING", 3)
    async with relay(connected=False) as r:
        for handle in handles(r.route())[:5]:
            r.send(handle)
        await trio.sleep(5)
        assert (len(r.next.bodies), r.counters.dropped_full) == (3, 2)


async def test_a_link_that_stands_still_holds_a_bounded_queue(autojump_clock: MockClock) -> None:
    async with relay() as r:
        r.next.stuck = True
        for handle in handles(r.route(1_024)):
            r.send(handle)
        await trio.sleep(5)
        assert r.counters.passed == MAX_QUEUED
        assert len(r.plane.hold) == 1_024 - MAX_QUEUED
        await trio.sleep(10)
        assert r.counters.dropped_full == 1_024 - MAX_QUEUED
        assert len(r.plane.hold) == 0


async def test_a_slow_link_gets_every_packet_in_the_end(autojump_clock: MockClock) -> None:
    async with relay() as r:
        r.next.stuck = True
        for handle in handles(r.route(1_024)):
            r.send(handle)
        await trio.sleep(4)
        r.next.stuck = False
        r.plane._outlet._lane(r.next.link).queue.cells.clear()
        await trio.sleep(1)
        assert (r.counters.passed, r.counters.dropped) == (1_024, 0)


async def test_a_link_that_closes_meanwhile_takes_nothing(autojump_clock: MockClock) -> None:
    async with relay() as r:
        r.next.closed = True
        for handle in handles(r.route()):
            r.send(handle)
        await trio.sleep(1)
        assert r.counters.dropped_unreachable == 16


async def test_a_box_slot_fills_its_box_and_the_sweep_empties_it(autojump_clock: MockClock) -> None:
    async with relay(hold_s=0.25) as r:
        new = batch()
        tag = r.slots.register(new, trio.current_time())
        r.boxes.create(tag, 16, new.ttl_s, trio.current_time())
        r.send(handles(new)[4])
        assert r.boxes.packets == 1
        assert r.counters.boxed == 1
        r.boxes.discard(tag)
        r.send(handles(new)[5])
        assert r.counters.dropped_unknown == 1
        r.boxes.create(tag, 16, 60, trio.current_time())
        await trio.sleep(3_700)
        assert (len(r.boxes), len(r.slots)) == (0, 0)
