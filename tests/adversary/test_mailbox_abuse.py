"""Mailbox relays under abuse: filled, searched, flooded, left unread, and fed with nonsense."""

from __future__ import annotations

import os
import random
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from engine.circuit.stream import SEND_BUFFER
from engine.crypto.packets import PACKET_BYTES, owner_tag
from engine.errors import CircuitClosed
from engine.mailbox.boxes import BoxTable
from engine.mailbox.hold import MAX_HELD
from engine.mailbox.outlet import PacketOutlet
from engine.mailbox.pace import ACCEPT_BURST, ACCEPT_RATE
from engine.mailbox.passing import PacketPlane
from engine.mailbox.service import LEAST_BITS, base_bits
from engine.mailbox.settings import MailboxSettings
from engine.mailbox.slots import NoRoom, SlotTable
from engine.wire.mailbox import (
    ANSWER_BYTES,
    REQUEST_BYTES,
    PollRequest,
    Status,
    encode_have,
    work_bits,
)
from tests.engine.mailbox.fakes import FakeLink, FakeLinks
from tests.engine.mailbox.support import ONWARD, batch, handles
from tests.helpers.mailbox import mailbox_network
from tests.helpers.mailbox_visitor import Visitor, visit

pytestmark = pytest.mark.trio
MIB = 1 << 20


@dataclass
class Filler:
    """Registers boxes at a relay until it is refused, and counts the hashes it had to make."""

    slots: SlotTable
    boxes: BoxTable
    hashes: int = 0
    made: int = 0

    def fill(self, now: float) -> None:
        """The relay's own rules, without the network: a price, then both tables."""
        while True:
            new = batch()
            price = max(base_bits(self.slots.fill), base_bits(self.boxes.fill))
            try:
                self.boxes.create(owner_tag(new.owner), new.cells, new.ttl_s, now)
                self.slots.register(new, now)
            except NoRoom:
                return
            self.hashes += 1 << work_bits(price, new.cells)  # on average
            self.made += 1


async def test_filling_a_relay_costs_more_and_more_and_evicts_nobody() -> None:
    """Adversary: someone who registers boxes of the smallest size until the relay refuses, then
    goes on trying. Pass: a box from before keeps its packets to its own expiry; what is refused
    leaves nothing behind; with the default settings all of the relay costs at least 150 million
    hashes, more than fifty times what it would cost at the price of an empty one."""
    usual = MailboxSettings()
    slots, boxes = SlotTable(usual.slots), BoxTable(usual.memory_mib << 20)
    honest = batch(ttl_s=7_200)
    tag = slots.register(honest, 0.0)
    boxes.create(tag, honest.cells, honest.ttl_s, 0.0)
    packet = handles(honest)[3] + os.urandom(PACKET_BYTES)
    assert boxes.deposit(tag, 3, packet[:16], packet[16:])
    filler = Filler(slots, boxes)
    filler.fill(0.0)
    assert filler.made > 2_000
    assert filler.hashes > 150_000_000
    assert filler.hashes > 50 * (filler.made << LEAST_BITS)
    before = (len(slots), len(boxes))
    filler.fill(1.0)
    assert (len(slots), len(boxes)) == before
    assert boxes.read(tag, bytes(128), 16, 3_700.0) == [packet]
    assert slots.use(handles(honest)[4], 3_700.0) is not None
    slots.expire(3_700.0)
    assert (len(slots), len(boxes)) == (15, 1)  # the attacker's hour is over


async def test_filling_a_real_relay_is_refused_at_its_bounds(tmp_path: Path) -> None:
    """Adversary: a client that pays for one box after another at a relay with room for eight.
    Pass: the ninth is refused as full and an honest box, made before, still takes and gives."""
    settings = MailboxSettings(hold_ms=0, slots=128)
    async with mailbox_network(tmp_path, 2, settings=settings) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(16)
            box = world.relay(pickup.legs[-1].node_id)
            statuses = []
            while not statuses or statuses[-1] is Status.OK:
                visitor = await visit(world, box)
                visitor.service._bits = lambda: (0, 0)  # type: ignore[method-assign]
                statuses.append(await (await visit(world, box)).add_box(batch()))
            assert statuses == [Status.OK] * 7 + [Status.FULL]
            assert await world.sender.send([pickup.block], b"still mine") == 1
            assert (await world.client.fetch(pickup)).data == b"still mine"


async def records_of_a_poll(visitor: Visitor, owner: bytes) -> tuple[list[bytes], int, int]:
    """(the packets answered, records up, records down) of one poll on the client's guard link."""
    link = visitor.circuit._link
    assert link is not None
    up, down = link.records_out, link.records_in
    bodies = await visitor.poll(owner)
    await trio.sleep(0.05)  # what else may come for it
    return bodies, link.records_out - up, link.records_in - down


async def test_full_empty_and_absent_boxes_look_alike(tmp_path: Path) -> None:
    """Adversary: a guard that counts records, and a searcher that polls names it does not know.
    Pass: a poll of a full box, an empty one, a discarded one and none at all takes the same number
    of records both ways and the same bytes of answer; what a wrong name gets holds no handle of
    anybody's and no byte string twice."""
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            full, empty = [await world.client.prepare(16) for _ in range(2)]
            assert await world.sender.send([full.block], os.urandom(20_000)) == 1
            counts, answers = set(), []
            for pickup, owner in (
                (full, full.legs[-1].owner),
                (empty, empty.legs[-1].owner),
                (full, os.urandom(32)),
                (full, bytes(32)),
                (empty, empty.legs[-1].handle_seed),
            ):
                box = world.relay(pickup.legs[-1].node_id)
                while pickup is full and box.service.boxes.packets < 16:
                    await trio.sleep(0.01)
                visitor = await visit(world, box)
                for _ in range(3):
                    bodies, up, down = await records_of_a_poll(visitor, owner)
                    counts.add((up, down))
                    answers.append(bodies)
            assert len(counts) == 1
            known = set(full.inbox._ways)
            assert {body[:16] for body in answers[0]} == known
            wrong = [body for bodies in answers[3:] for body in bodies]
            assert not {body[:16] for body in wrong} & known
            assert len(set(wrong)) == len(wrong) == 12 * 16


async def test_a_searcher_finds_no_box(tmp_path: Path) -> None:
    """Adversary: a client that polls a thousand names near a real one (one bit or byte changed)
    and at random, at a relay with a full box. Pass: it never gets a packet."""
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(16)
            assert await world.sender.send([pickup.block], b"found?") == 1
            box = world.relay(pickup.legs[-1].node_id)
            owner = int.from_bytes(pickup.legs[-1].owner, "big")
            names = [owner ^ (1 << bit) for bit in range(256)]
            rng = random.Random(8)
            names += [rng.getrandbits(256) for _ in range(744)]
            visitor = await visit(world, box)
            real = set(pickup.inbox._ways)
            for name in names:
                bodies = box.service._poll(PollRequest(name.to_bytes(32, "big"), bytes(128)))
                assert len(bodies) == ANSWER_BYTES
                assert not any(handle in bodies for handle in real)
            assert {body[:16] for body in await visitor.poll(owner.to_bytes(32, "big"))} == real


async def test_a_flood_of_packets_leaves_memory_flat(autojump_clock: MockClock) -> None:
    """Adversary: a neighbour that sends 60,000 packets a second for ten seconds of virtual time,
    most under made-up handles, the rest under 4,096 slots it registered, towards a relay that
    cannot be reached. Pass: no more than the bucket allows is looked at; at no moment are more
    packets held than the bound; memory ends within 4 MiB of where it began; nothing is sent."""
    links, slots = FakeLinks(), SlotTable()
    plane = PacketPlane(
        PacketOutlet(links.manager), slots, BoxTable(MIB), hold_s=0.25, rng=random.Random(2)
    )
    own = [batch(1_024) for _ in range(4)]
    for new in own:
        slots.register(new, trio.current_time(), onward=ONWARD, next_seed=os.urandom(32))
    known = [handle for new in own for handle in handles(new)]
    neighbour, payload = FakeLink(), bytes(PACKET_BYTES)
    rng = random.Random(5)
    tracemalloc.start()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(plane.run)
            start = tracemalloc.get_traced_memory()[0]
            for _ in range(100):
                for number in range(600):
                    handle = known.pop() if known and number % 10 == 0 else rng.randbytes(16)
                    plane.on_packet(neighbour.link, memoryview(handle + payload))
                assert len(plane.hold) <= MAX_HELD
                await trio.sleep(0.01)
            await trio.sleep(60)
            grown = tracemalloc.get_traced_memory()[0] - start
            nursery.cancel_scope.cancel()
    finally:
        tracemalloc.stop()
    counters = plane.counters
    assert counters.dropped == 60_000
    assert 60_000 - counters.dropped_flood <= ACCEPT_BURST + ACCEPT_RATE * 1.1
    assert counters.passed == 0
    assert neighbour.bodies == []
    assert grown < 4 * MIB
    assert autojump_clock.autojump_threshold == 0


async def test_registering_and_discarding_for_ever_leaves_memory_flat() -> None:
    """Adversary: a client that registers and discards 8,000 times. Pass: tables are empty and
    memory ends within 1 MiB of where it began."""
    slots, boxes = SlotTable(), BoxTable(MIB)
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        for number in range(8_000):
            new = batch(16)
            tag = slots.register(new, float(number) / 100)
            boxes.create(tag, 16, new.ttl_s, float(number) / 100)
            slots.discard(tag)
            boxes.discard(tag)
        grown = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert (len(slots), len(boxes)) == (0, 0)
    assert grown < MIB


async def test_a_client_that_polls_and_never_reads_costs_one_buffer(tmp_path: Path) -> None:
    """Adversary: a client that asks a thousand polls on one stream and acknowledges nothing. Pass:
    the relay stops answering with at most one stream buffer waiting, and serves others."""
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            visitor = await visit(world)
            poll = PollRequest(bytes(32), encode_have([])).encode()
            for _ in range(1_000):
                await visitor.stream.send_all(poll)
            relay = world.relays[0].node
            (endpoint,) = (c.endpoint for c in relay.core.circuits.values())
            assert endpoint is not None
            before = -1
            while endpoint.data_regions != before:
                before = endpoint.data_regions
                await trio.sleep(0.2)
            waiting = endpoint.mux.buffered(1)
            assert 0 < waiting <= SEND_BUFFER
            assert await (await visit(world)).add_box(batch()) is Status.OK


async def test_nonsense_on_streams_hurts_its_own_stream_only(tmp_path: Path) -> None:
    """Adversary: a client that sends 150 requests of random bytes, of right types with random
    fields, and cut short. Pass: each stream ends or answers by the document; no fault is
    reported; nothing is registered; an honest visit works afterwards."""
    rng = random.Random(6)
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            for number in range(150):
                visitor = await visit(world)
                data = rng.randbytes(REQUEST_BYTES)
                if number % 3 == 1:
                    data = bytes([rng.randrange(1, 3)]) + data[1:]
                elif number % 3 == 2:
                    data = data[: rng.randrange(1, REQUEST_BYTES)]
                await visitor.stream.send_all(data)
                await visitor.stream.send_eof()
                with pytest.raises(CircuitClosed):
                    await visitor.read(1)
                visitor.circuit.close("done")
            relay = world.relays[0]
            assert (len(relay.service.slots), len(relay.service.boxes)) == (0, 0)
            assert not relay.node.faults
            assert await (await visit(world)).add_box(batch()) is Status.OK
