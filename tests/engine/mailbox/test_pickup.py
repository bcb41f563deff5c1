"""Pickups and what comes into them: any order, any number of times, any loss, any lie."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.packets import layer, seal_packet, slot_order
from engine.errors import WireError
from engine.mailbox.pickup import Leg, Pickup
from engine.wire.packet import Chunk, packet_body, split_chunks
from engine.wire.reply_block import ReplyBlock
from tests.engine.mailbox.support import slot_handle, slot_key


def pickup(relays: int = 2, cells: int = 16) -> Pickup:
    legs = tuple(Leg(*(os.urandom(32) for _ in range(4))) for _ in range(relays))
    block = ReplyBlock(
        os.urandom(32), legs[0].handle_seed, cells, 1_900_000_000, os.urandom(32), "127.0.0.1", 9
    )
    return Pickup(block.encode(), legs)


def delivered(to: Pickup, place: int, plain: bytes) -> bytes:
    """What the mailbox hands out for a packet that the ghost put into slot `place`."""
    payload = seal_packet(ReplyBlock.decode(to.block).key, place, plain)
    for leg in to.legs:
        payload = layer(slot_key(leg.key_seed, place), payload)
        handle = slot_handle(leg.handle_seed, place)
        place = slot_order(leg.key_seed, to.cells)[place]
    return packet_body(handle, payload)


@given(st.data())
def test_the_longest_beginning_without_a_gap(data: st.DataObject) -> None:
    relays = data.draw(st.integers(2, 4))
    answer = data.draw(st.binary(max_size=50)) * data.draw(st.integers(0, 400))
    to = pickup(relays)
    chunks = split_chunks(answer[: to.capacity])
    came = data.draw(st.lists(st.integers(0, 15), max_size=40))
    for place in came:
        to.inbox.accept(delivered(to, place, chunks[place % len(chunks)].encode()))
        to.inbox.accept(os.urandom(2_024))
    got = {place % len(chunks) for place in came}
    prefix = next(seq for seq in range(len(chunks) + 1) if seq not in got)
    assert to.inbox.data == b"".join(chunk.data for chunk in chunks[:prefix])
    assert to.inbox.complete is (len(got) == len(chunks))
    assert len(to.inbox.have) == len(set(came))
    assert to.inbox.spoiled == 0


def test_a_changed_packet_is_acknowledged_and_thrown_away() -> None:
    to = pickup()
    body = bytearray(delivered(to, 0, Chunk(0, 1, b"hello").encode()))
    body[100] ^= 1
    to.inbox.accept(bytes(body))
    body[100] ^= 1
    to.inbox.accept(bytes(body))  # a slot is used once: what comes later cannot be true
    assert (to.inbox.data, to.inbox.spoiled, len(to.inbox.have)) == (b"", 1, 1)
    to.inbox.accept(delivered(to, 1, Chunk(0, 1, b"hello").encode()))
    assert to.inbox.complete


def test_a_ghost_that_numbers_wrongly_hurts_nobody_else() -> None:
    to = pickup()
    to.inbox.accept(delivered(to, 0, Chunk(0, 2, bytes(1_986)).encode()))
    to.inbox.accept(delivered(to, 1, Chunk(1, 3, bytes(1_986)).encode()))
    to.inbox.accept(delivered(to, 2, b"\xff" * 1_992))
    assert (to.inbox.data, to.inbox.complete) == (bytes(1_986), False)
    assert to.inbox.spoiled == 1


@pytest.mark.parametrize("relays", [2, 3, 4])
def test_dump_and_load(relays: int) -> None:
    to = pickup(relays, 64)
    again = Pickup.load(to.dump())
    assert (again.block, again.legs, again.cells) == (to.block, to.legs, 64)
    assert (again.expires, again.capacity) == (1_900_000_000.0, 64 * 1_986)
    again.inbox.accept(delivered(to, 63, Chunk(0, 1, b"yes").encode()))
    assert again.inbox.data == b"yes"
    assert "object at" in repr(again)
    assert repr(to.legs[0]) == "Leg()"


@given(st.binary(max_size=500), st.integers(0, 400))
def test_any_bytes_as_a_saved_pickup(noise: bytes, kept: int) -> None:
    for data in (noise, pickup().dump()[:kept] + noise):
        try:
            loaded = Pickup.load(data)
        except WireError:
            continue
        assert loaded.dump() == data


@pytest.mark.parametrize("relays", [1, 5])
def test_a_way_has_one_to_three_return_relays(relays: int) -> None:
    with pytest.raises(WireError):
        pickup(relays)
