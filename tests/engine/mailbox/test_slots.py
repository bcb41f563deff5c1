"""The slot table: one use, bounds, expiry, nothing left behind."""

from __future__ import annotations

import dataclasses
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.packets import owner_tag, slot_order
from engine.mailbox.slots import NoRoom, SlotTable, Taken
from tests.engine.mailbox.support import ONWARD, batch, handles, slot_handle, slot_key


def test_a_slot_gives_its_key_and_the_way_on_once() -> None:
    table, new, next_seed = SlotTable(), batch(), os.urandom(32)
    tag = table.register(new, 0.0, onward=ONWARD, next_seed=next_seed)
    order = slot_order(new.key_seed, 16)
    for place, handle in enumerate(handles(new)):
        used = table.use(handle, 1.0)
        assert used is not None
        assert (used.key, used.place) == (slot_key(new.key_seed, place), place)
        assert (used.tag, used.onward) == (tag, ONWARD)
        assert used.next_handle == slot_handle(next_seed, order[place])
        assert table.use(handle, 1.0) is None
    assert len(table) == 0
    table.register(new, 2.0)  # nothing is left of the first life


def test_a_slot_into_a_box_leads_nowhere() -> None:
    table, new = SlotTable(), batch()
    tag = table.register(new, 0.0)
    used = table.use(handles(new)[3], 0.0)
    assert used is not None
    assert (used.tag, used.onward, used.next_handle) == (tag, None, b"")
    assert tag == owner_tag(new.owner)


@given(st.integers(1, 6 * 3_600), st.floats(-1, 1))
def test_expiry(ttl_s: int, offset: float) -> None:
    table, new = SlotTable(), batch(ttl_s=ttl_s)
    table.register(new, 100.0)
    used = table.use(handles(new)[0], 100.0 + ttl_s + offset)
    assert (used is None) is (100.0 + ttl_s + offset >= 100.0 + ttl_s)
    table.expire(100.0 + ttl_s)
    assert len(table) == 0


def test_a_full_table_refuses_and_keeps_what_it_has() -> None:
    table, first = SlotTable(40), batch()
    table.register(first, 0.0)
    table.register(batch(), 0.0)
    assert table.fill == 32 / 40
    with pytest.raises(NoRoom):
        table.register(batch(), 0.0)
    assert all(table.use(handle, 0.0) for handle in handles(first))


def test_expired_batches_make_room() -> None:
    table = SlotTable(16)
    table.register(batch(ttl_s=60), 0.0)
    table.register(batch(), 60.0)
    assert len(table) == 16


def test_neither_owner_nor_handles_can_be_taken_over() -> None:
    table, first = SlotTable(), batch()
    table.register(first, 0.0)
    for changes in ({"owner": bytes(32)}, {"handle_seed": bytes(32), "key_seed": bytes(32)}):
        with pytest.raises(Taken):
            table.register(dataclasses.replace(first, **changes), 0.0)
    used = table.use(handles(first)[0], 0.0)
    assert used is not None
    assert used.key == slot_key(first.key_seed, 0)


def test_discarding() -> None:
    table, first, other = SlotTable(), batch(), batch()
    tag = table.register(first, 0.0)
    table.register(other, 0.0)
    table.discard(tag)
    table.discard(tag)
    assert all(table.use(handle, 0.0) is None for handle in handles(first))
    assert len(table) == 16


def test_a_used_slot_prints_nothing() -> None:
    table, new = SlotTable(), batch()
    table.register(new, 0.0, onward=ONWARD, next_seed=bytes(32))
    used = table.use(handles(new)[0], 0.0)
    assert repr(used) == "Used(place=0)"
    assert repr(ONWARD) == "NextRelay()"


@given(
    st.lists(
        st.tuples(st.sampled_from(["register", "use", "discard", "wait"]), st.integers(0, 9)),
        max_size=60,
    )
)
def test_like_a_plain_list_of_slots(steps: list[tuple[str, int]]) -> None:
    table, now = SlotTable(64), 0.0
    live: list[tuple[bytes, float, set[bytes]]] = []
    for step, number in steps:
        chosen = live[number % len(live)] if live else None
        if step == "register":
            new = batch(ttl_s=60 * (number + 1))
            room = sum(len(unused) for _, _, unused in live) + 16 <= 64
            try:
                tag = table.register(new, now)
            except NoRoom:
                assert not room
            else:
                assert room
                live.append((tag, now + new.ttl_s, set(handles(new))))
        elif step == "wait":
            now += 30.0 * number
            live = [entry for entry in live if entry[1] > now]
            table.expire(now)
        elif chosen is not None and step == "use" and chosen[2]:
            handle = chosen[2].pop()
            used = table.use(handle, now)
            assert used is not None
            assert used.tag == chosen[0]
            assert table.use(handle, now) is None
        elif chosen is not None and step == "discard":
            table.discard(chosen[0])
            live.remove(chosen)
        assert len(table) == sum(len(unused) for _, _, unused in live) <= 64
