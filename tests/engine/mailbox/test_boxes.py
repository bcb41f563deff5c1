"""The box table: quotas, expiry, what a reader gets, and nobody's box pushed out by another's."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.packets import PACKET_BYTES
from engine.mailbox.boxes import BoxTable
from engine.mailbox.slots import NoRoom, Taken
from engine.wire.mailbox import encode_have

PAYLOAD = bytes(PACKET_BYTES)


def handle(place: int) -> bytes:
    return place.to_bytes(16, "big")


def table_with(tag: bytes, cells: int = 16, room: int = 64) -> BoxTable:
    table = BoxTable(room * PACKET_BYTES)
    table.create(tag, cells, 3_600, 0.0)
    return table


@given(st.sets(st.integers(0, 15)), st.sets(st.integers(0, 15)), st.integers(0, 16))
def test_a_reader_gets_what_it_lacks(put: set[int], have: set[int], limit: int) -> None:
    table = table_with(b"mine")
    for place in put:
        assert table.deposit(b"mine", place, handle(place), PAYLOAD)
    for _ in range(2):  # reading takes nothing away
        bodies = table.read(b"mine", encode_have(have), limit, 1.0)
        wanted = sorted(put - have)[:limit]
        assert bodies == [handle(place) + PAYLOAD for place in wanted]


def test_a_box_takes_each_place_once_and_nothing_beyond_its_size() -> None:
    table = table_with(b"mine")
    assert table.deposit(b"mine", 15, handle(15), PAYLOAD)
    assert not table.deposit(b"mine", 15, handle(1), os.urandom(PACKET_BYTES))
    assert not table.deposit(b"mine", 16, handle(16), PAYLOAD)
    assert not table.deposit(b"other", 0, handle(0), PAYLOAD)
    assert table.packets == 1


def test_a_full_relay_refuses_and_never_evicts() -> None:
    table = table_with(b"mine", room=40)
    table.deposit(b"mine", 0, handle(0), PAYLOAD)
    table.create(b"second", 16, 60, 0.0)
    with pytest.raises(NoRoom):
        table.create(b"third", 16, 3_600, 1.0)
    assert table.fill == 32 / 40
    assert table.read(b"mine", bytes(128), 16, 1.0) == [handle(0) + PAYLOAD]
    table.create(b"third", 16, 3_600, 60.0)  # the second has expired


def test_a_name_is_taken_once() -> None:
    table = table_with(b"mine")
    with pytest.raises(Taken):
        table.create(b"mine", 16, 3_600, 0.0)
    assert table.fill == 16 / 64


def test_the_end_of_a_box() -> None:
    table = table_with(b"mine")
    table.deposit(b"mine", 0, handle(0), PAYLOAD)
    assert table.read(b"mine", bytes(128), 16, 3_600.0) == []
    assert (len(table), table.packets, table.fill) == (0, 0, 0.0)
    table.create(b"mine", 16, 60, 3_601.0)
    table.discard(b"mine")
    table.discard(b"mine")
    assert (len(table), table.fill) == (0, 0.0)


def test_a_relay_without_memory_for_boxes_is_full() -> None:
    assert BoxTable(0).fill == 1.0
