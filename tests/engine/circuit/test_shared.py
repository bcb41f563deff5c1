"""Shared circuits: one a purpose and tag, replaced on age and use, spares claimed clean."""

from __future__ import annotations

from random import Random

import pytest
import trio

from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.shaping import BULK_PLAN
from engine.circuit.shared import DIRTY_LIFE_S, MAX_STREAMS, UNUSED_LIFE_S, SharedCircuits

pytestmark = pytest.mark.trio
A, B = ("wallet", "a"), ("wallet", "b")


def circuit() -> ClientCircuit:
    made = ClientCircuit((), 1, "wallet", BULK_PLAN)
    made.state = CircuitState.OPEN
    return made


def shared() -> SharedCircuits:
    return SharedCircuits(Random(7))


async def test_a_tag_keeps_its_circuit_and_shares_it_with_nobody() -> None:
    one, now = shared(), trio.current_time()
    made = circuit()
    one.take(A, made)
    assert one.current(A, now) is made
    assert one.current(B, now) is None
    assert one.current(("directory", "a"), now) is None


async def test_a_spare_is_claimed_once_and_then_belongs_to_its_tag() -> None:
    one, now = shared(), trio.current_time()
    spare = circuit()
    one.keep("wallet", spare)
    assert one.has_spare("wallet", now)
    assert not one.has_spare("directory", now)
    assert one.current(A, now) is spare
    assert not one.has_spare("wallet", now)
    assert one.current(B, now) is None
    assert one.current(A, now) is spare


@pytest.mark.parametrize("worn_by", ["age", "use", "streams", "death"])
async def test_it_is_replaced_on_age_and_use(worn_by: str) -> None:
    one, now = shared(), trio.current_time()
    made = circuit()
    one.take(A, made)
    if worn_by == "age":
        assert one.current(A, now + UNUSED_LIFE_S[0] - 1) is made
        now += UNUSED_LIFE_S[1] + 1
    elif worn_by == "use":
        made.used_at = now
        assert one.current(A, now + DIRTY_LIFE_S[0] - 1) is made
        now += DIRTY_LIFE_S[1] + 1
    elif worn_by == "streams":
        made.streams_opened = MAX_STREAMS[0] - 1
        assert one.current(A, now) is made
        made.streams_opened = MAX_STREAMS[1]
    else:
        made.close("gone")
    assert one.current(A, now) is None
    worn = one.worn(now)
    assert [found for found, _ in worn] == ([] if worn_by == "death" else [made])
    assert all("fresh circuit" in reason for _, reason in worn)


async def test_a_replaced_circuit_closes_when_its_last_stream_has_ended() -> None:
    one, now = shared(), trio.current_time()
    old, new = circuit(), circuit()
    one.take(A, old)
    old.open_stream(b"\x01")
    later = now + DIRTY_LIFE_S[1] + 1
    assert one.current(A, later) is None
    one.take(A, new)
    assert one.worn(later) == []
    old.endpoint.mux.end(1)
    assert [found for found, _ in one.worn(later)] == [old]


async def test_limits_differ_from_circuit_to_circuit() -> None:
    one = shared()
    ends = set()
    for n in range(20):
        one.take(("p", str(n)), circuit())
    for second in range(int(UNUSED_LIFE_S[0]), int(UNUSED_LIFE_S[1]) + 60, 60):
        ends.add(len(one.worn(trio.current_time() + second)))
    assert len(ends) > 5


async def test_an_old_spare_is_not_handed_out() -> None:
    one, now = shared(), trio.current_time()
    spare = circuit()
    one.keep("wallet", spare)
    later = now + UNUSED_LIFE_S[1] + 1
    assert not one.has_spare("wallet", later)
    assert one.current(A, later) is None
    one.keep("wallet", circuit())
    assert spare in [found for found, _ in one.worn(later)]
