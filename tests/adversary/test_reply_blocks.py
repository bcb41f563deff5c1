"""Reply blocks under attack: by the ghost that holds one, by relays of the way, by a thief.

The adversaries keep every rule of cells and links and break every other.
"""

from __future__ import annotations

import math
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from engine.crypto.packets import layer, seal_packet, slot_order
from engine.link.connection import Link
from engine.mailbox.pickup import Pickup
from engine.mailbox.slots import SlotTable
from engine.wire.cells import Command
from engine.wire.packet import packet_body, split_chunks
from engine.wire.reply_block import ReplyBlock
from tests.engine.mailbox.support import ONWARD, batch, handles, slot_handle, slot_key
from tests.helpers.adversaries import put_cell
from tests.helpers.mailbox import MailboxNetwork, MailboxRelay, mailbox_network
from tests.helpers.memory import bytes_within

pytestmark = pytest.mark.trio


@dataclass
class RogueGhost:
    """Holds a block and puts whatever it likes on the link to the first relay."""

    world: MailboxNetwork
    block: ReplyBlock

    async def link(self) -> Link:
        ghost = self.world.network.nodes[-1]
        return await ghost.links.get(self.block.node_id, self.block.host, self.block.port)

    async def put(self, handle: bytes, payload: bytes) -> None:
        put_cell(await self.link(), 0, Command.PACKET, packet_body(handle, payload))

    async def put_place(self, place: int, payload: bytes) -> None:
        await self.put(slot_handle(self.block.handle_seed, place), payload)

    def sealed(self, data: bytes) -> list[bytes]:
        """The packets an honest ghost would send for a short answer."""
        plain = split_chunks(data)[0].encode()
        return [seal_packet(self.block.key, place, plain) for place in range(self.block.cells)]


@dataclass
class CuriousMailbox:
    """A mailbox relay that keeps what each packet was when it arrived: it knows its own layer."""

    relay: MailboxRelay
    arrived: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        table = self.relay.service.slots
        use, deposit = table.use, self.relay.service.boxes.deposit
        keys: dict[bytes, bytes] = {}

        def spied_use(handle: bytes, now: float) -> object:
            used = use(handle, now)
            if used is not None:
                keys[handle] = used.key
            return used

        def spied_deposit(tag: bytes, place: int, handle: bytes, payload: bytes) -> bool:
            self.arrived.append((handle, layer(keys[handle], payload)))
            return deposit(tag, place, handle, payload)

        table.use = spied_use  # type: ignore[method-assign,assignment]
        self.relay.service.boxes.deposit = spied_deposit  # type: ignore[method-assign]


async def until_counted(relay: MailboxRelay, packets: int) -> None:
    """Return when a relay has passed, boxed or dropped so many packets."""
    counters = relay.service.packets.counters
    while counters.passed + counters.boxed + counters.dropped < packets:
        await trio.sleep(0.005)


async def prepared(world: MailboxNetwork, cells: int = 16) -> tuple[Pickup, RogueGhost]:
    pickup = await world.client.prepare(cells)
    return pickup, RogueGhost(world, ReplyBlock.decode(pickup.block))


async def test_a_block_used_twice_is_used_once(tmp_path: Path) -> None:
    """Adversary: a ghost that sends every packet of a block five times, and other packets under
    the same handles. Pass: the first of each arrives, all others are dropped and counted, the
    ghost's link carries not one record back, and the answer is untouched."""
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup, ghost = await prepared(world)
            first, box = (world.relay(leg.node_id) for leg in pickup.legs)
            link = await ghost.link()
            answered = link.records_in
            for _ in range(5):
                for place, payload in enumerate(ghost.sealed(b"the answer")):
                    await ghost.put_place(place, payload)
            for place in range(16):
                await ghost.put_place(place, os.urandom(2_008))
            await until_counted(first, 5 * 16 + 16)
            await until_counted(box, 16)
            counters = first.service.packets.counters
            assert (counters.passed, counters.dropped_unknown) == (16, 4 * 16 + 16)
            assert (await world.client.fetch(pickup)).data == b"the answer"
            assert link.records_in == answered


async def test_a_packet_replayed_by_the_return_relay_is_dropped(tmp_path: Path) -> None:
    """Adversary: the return relay sends what it passed on to the mailbox again, ten times, also
    after the box was read. Pass: the box holds each packet once and the second answer is the
    first."""
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup, _ = await prepared(world)
            first, box = (world.relay(leg.node_id) for leg in pickup.legs)
            passed: list[bytes] = []
            outlet = first.service.packets._outlet
            send = outlet.send

            def kept(link: Link, body: bytes) -> bool:
                passed.append(body)
                return send(link, body)

            outlet.send = kept  # type: ignore[method-assign]
            assert await world.sender.send([pickup.block], b"once") == 1
            await until_counted(box, 16)
            assert (await world.client.fetch(Pickup.load(pickup.dump()))).data == b"once"
            link = first.node.links.find(box.node.identity.node_id)
            assert link is not None
            for body in passed * 10:
                put_cell(link, 0, Command.PACKET, body)
            await until_counted(box, 16 * 11)
            assert box.service.packets.counters.dropped_unknown == 160
            assert box.service.boxes.packets == 16
            assert (await world.client.fetch(pickup)).data == b"once"


@pytest.mark.parametrize("ending", ["expiry", "restart"])
async def test_a_hoarded_block_opens_nothing(tmp_path: Path, ending: str) -> None:
    """Adversary: a ghost that keeps a block until its time is over, or until the relay has
    restarted, and then uses all of it. Pass: no packet passes and nothing is answered."""
    now = [1_000.0]
    async with mailbox_network(tmp_path, 2, clock=lambda: now[0]) as world:
        with trio.fail_after(60):
            pickup, ghost = await prepared(world)
            first, box = (world.relay(leg.node_id) for leg in pickup.legs)
            if ending == "expiry":
                now[0] += 3_600
            else:
                first.service.packets._slots = SlotTable()  # all a restart leaves: nothing
            link = await ghost.link()
            answered = link.records_in
            for place, payload in enumerate(ghost.sealed(b"too late")):
                await ghost.put_place(place, payload)
            await until_counted(first, 16)
            assert first.service.packets.counters.dropped_unknown == 16
            assert box.service.boxes.packets == 0
            assert link.records_in == answered


async def test_forged_handles_reach_nobody(tmp_path: Path) -> None:
    """Adversary: a neighbour that sends random handles, real handles with a changed bit, and
    handles of the batch behind the first relay. Pass: all are dropped, no slot is spent, and the
    block works afterwards."""
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup, ghost = await prepared(world)
            first, box = (world.relay(leg.node_id) for leg in pickup.legs)
            real = [slot_handle(ghost.block.handle_seed, place) for place in range(16)]
            forged = [os.urandom(16) for _ in range(1_000)]
            forged += [
                (int.from_bytes(handle, "big") ^ (1 << bit)).to_bytes(16, "big")
                for handle in real[:4]
                for bit in range(128)
            ]
            forged += [slot_handle(pickup.legs[1].handle_seed, place) for place in range(16)]
            for handle in forged:
                await ghost.put(handle, bytes(2_008))
            await until_counted(first, len(forged))
            assert first.service.packets.counters.dropped_unknown == len(forged)
            assert len(first.service.slots) == len(box.service.slots) == 16
            assert await world.sender.send([pickup.block], b"still there") == 1
            assert (await world.client.fetch(pickup)).data == b"still there"


def agreement(one: bytes, other: bytes) -> float:
    """The share of bits in which two strings agree."""
    differ = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return 1 - differ.bit_count() / (8 * len(one))


def chi_square(data: bytes) -> float:
    """Against uniform bytes: 255 on average, with a deviation of 22.6."""
    expected = len(data) / 256
    return sum((data.count(value) - expected) ** 2 for value in range(256)) / expected


async def test_a_ghost_and_a_mailbox_that_collude_have_no_bit_in_common(tmp_path: Path) -> None:
    """Adversary: a ghost that sends 1,024 packets it made to be recognised (constant bytes, two
    kinds by turns, one kind sent as a pair of equal packets) and the mailbox, which keeps what
    arrives and knows its own keys. Between them is one honest relay.

    Pass, statistically: what arrived is uniform (chi-square within six deviations); no packet that
    went in agrees with one that came out in more or fewer bits than chance allows (six deviations
    over all pairs looked at); two equal packets come out unlike; a threshold classifier between
    the two kinds is at chance; place in and place out do not correlate. Pass, algebraically: for
    any two packets A and B that went in and any X that came out there is a key under which A
    became X and one under which B did.
    """
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup, ghost = await prepared(world, 1_024)
            box = world.relay(pickup.legs[1].node_id)
            mailbox = CuriousMailbox(box)
            kinds = [bytes(2_008), bytes([0xFF] * 2_008)]
            for place in range(1_024):
                await ghost.put_place(place, kinds[place % 2])
                if place % 256 == 255:
                    await until_counted(box, place + 1)
        places_out = {
            slot_handle(pickup.legs[1].handle_seed, place): place for place in range(1_024)
        }
        order = slot_order(pickup.legs[0].key_seed, 1_024)
        came_from = {out: place for place, out in enumerate(order)}
        arrived = [(came_from[places_out[handle]], payload) for handle, payload in mailbox.arrived]
        assert len(arrived) == 1_024
        assert abs(chi_square(b"".join(p for _, p in arrived)) - 255) < 6 * 22.6

        deviation = 1 / (2 * math.sqrt(8 * 2_008))
        for _, payload in arrived:
            assert abs(agreement(payload, kinds[0]) - 0.5) < 6 * deviation
        ones = [agreement(p, kinds[1]) for place, p in arrived if place % 2]
        zeros = [agreement(p, kinds[1]) for place, p in arrived if not place % 2]
        better = sum(a > b for a, b in zip(ones, zeros, strict=True)) / 512
        assert abs(better - 0.5) < 6 / (2 * math.sqrt(512))
        for (_, one), (_, other) in zip(arrived, arrived[2:], strict=False):
            assert abs(agreement(one, other) - 0.5) < 6 * deviation

        mean = 1_023 / 2
        spread = sum((place - mean) ** 2 for place in range(1_024))
        correlation = sum((k - mean) * (out - mean) for k, out in enumerate(order)) / spread
        assert abs(correlation) < 6 / math.sqrt(1_024)

        keys = [slot_key(pickup.legs[0].key_seed, place) for place in range(1_024)]
        for place, payload in arrived:
            pad = layer(keys[place], bytes(2_008))
            assert bytes(a ^ b for a, b in zip(payload, pad, strict=True)) == kinds[place % 2]


async def test_a_mark_is_lost_and_acknowledged_like_any_packet(tmp_path: Path) -> None:
    """Adversary: the first relay flips a bit in every third packet, and the mailbox watches which
    packets the client acknowledges. Pass: the answer is whole all the same (spare slots repeat
    it), and the client acknowledges all packets, marked or not."""
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup, _ = await prepared(world)
            first, box = (world.relay(leg.node_id) for leg in pickup.legs)
            outlet = first.service.packets._outlet
            send, seen = outlet.send, []

            def marked(link: Link, body: bytes) -> bool:
                seen.append(body)
                if len(seen) % 3 == 0:
                    body = body[:500] + bytes([body[500] ^ 1]) + body[501:]
                return send(link, body)

            outlet.send = marked  # type: ignore[method-assign]
            assert await world.sender.send([pickup.block], b"short") == 1
            await until_counted(box, 16)
            fetched = await world.client.fetch(pickup)
            assert (fetched.data, fetched.complete) == (b"short", True)
            assert pickup.inbox.spoiled == 5
            assert pickup.inbox.have == set(range(16))


async def test_a_relay_seized_after_use_tells_nothing() -> None:
    """Adversary: a thief who takes a copy of everything the relay's tables hold, after a batch was
    used in part, used up, discarded, or expired. Pass: no seed at any time; no key, handle or
    onward handle of a used slot; of what is over, nothing. What is not used yet is there, or the
    test would see nothing at all."""
    table = SlotTable()
    part, whole, gone, old = batch(64), batch(64), batch(64), batch(64, ttl_s=60)
    next_seed = os.urandom(32)
    tags = [
        table.register(one, 0.0, onward=ONWARD, next_seed=next_seed)
        for one in (part, whole, gone, old)
    ]
    for handle in [*handles(whole), *handles(part)[:40]]:
        assert table.use(handle, 1.0) is not None
    freed = [table._batches[tag] for tag in tags[2:]]  # memory that was given back, not cleared
    table.discard(tags[2])
    table.expire(60.0)

    held = bytes_within(table) + [bytes(one.keys) for one in freed]
    held += [bytes(one.next_handles) for one in freed]

    def is_held(secret: bytes) -> bool:
        return any(secret in piece for piece in held)

    for one in (part, whole, gone, old):
        assert not is_held(one.owner)
        assert not is_held(one.handle_seed)
        assert not is_held(one.key_seed)
    assert not is_held(next_seed)
    for one in (whole, gone, old):
        assert not any(is_held(slot_key(one.key_seed, place)) for place in range(64))
        assert not any(is_held(handle) for handle in handles(one))
    order = slot_order(part.key_seed, 64)
    onward = [is_held(slot_handle(next_seed, order[place])) for place in range(64)]
    assert onward == [False] * 40 + [True] * 24
    used = [place for place in range(64) if not is_held(slot_key(part.key_seed, place))]
    assert used == list(range(40))
    assert [p for p, handle in enumerate(handles(part)) if not is_held(handle)] == used


async def test_a_block_names_one_relay_and_nothing_else(tmp_path: Path) -> None:
    """Adversary: a ghost that looks for anything it should not know in twenty blocks. Pass: the
    mailbox's name, address, secrets and handles are not in them, and two blocks of one client
    share nothing but what the relays share."""
    async with mailbox_network(tmp_path, 3) as world:
        with trio.fail_after(60):
            rng = random.Random(4)
            blocks = []
            for _ in range(20):
                pickup, ghost = await prepared(world)
                box = pickup.legs[-1]
                relay = world.relay(box.node_id)
                secrets = [box.node_id, box.owner, box.handle_seed, box.key_seed]
                secrets += [pickup.legs[0].owner, pickup.legs[0].key_seed]
                secrets.append(relay.node.identity.public)
                assert not any(secret in pickup.block for secret in secrets)
                assert ghost.block.host != relay.node.host
                blocks.append(ghost.block)
            one, other = rng.sample(blocks, 2)
            assert one.key != other.key
            assert one.handle_seed != other.handle_seed
