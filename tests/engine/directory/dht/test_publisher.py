# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""A ghost's records: renewed, carried into the next epoch, paid for with more where it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from engine.directory.dht.publication import Publication
from engine.directory.dht.publisher import RENEW_S, Publisher
from engine.directory.dht.service import DhtService
from engine.identity import Identity
from engine.wire.dht import Verdict
from engine.wire.network import MAIN_NETWORK
from engine.wire.record import MAX_LIFE_S, OVERLAP_S, Record
from tests.helpers.records import MODEL, NOW, signed_advert
from tests.helpers.virtual_time import threads_inline


@pytest.fixture(autouse=True)
def inline() -> Iterator[None]:
    """Work is done in threads, which virtual time does not wait for."""
    with threads_inline():
        yield


@dataclass
class FakeDht:
    """Takes every record with the same verdict."""

    members: int = 30
    holders: int = 20
    verdict: tuple[Verdict, int] = (Verdict.KEPT, 0)
    taken: list[tuple[bytes, Record]] = field(default_factory=list)

    async def publish(self, key: bytes, record: bytes) -> Publication:
        await trio.lowlevel.checkpoint()
        self.taken.append((key, Record.parse(record)))
        publication = Publication(key, record)
        for _ in range(self.holders):
            publication.keeps(*self.verdict)
        return publication


def _begin() -> int:
    """When an epoch of MODEL's keys begins."""
    at = NOW
    while MODEL.epoch_at(at) == MODEL.epoch_at(at - 1):
        at += 1
    return at


BEGIN = _begin()


def publisher(dht: FakeDht, ghost: Identity, bits: int = 0, begin: int = BEGIN) -> Publisher:
    started = trio.current_time()
    return Publisher(
        cast(DhtService, dht),
        ghost,
        [MODEL],
        lambda: signed_advert(ghost, now=begin),
        bits=bits,
        clock=lambda: begin + trio.current_time() - started,
    )


@pytest.mark.trio
async def test_records_lie_under_all_keys_and_are_renewed_in_time(
    autojump_clock: MockClock,
) -> None:
    dht, ghost = FakeDht(), Identity.generate()
    with trio.move_on_after(1.3 * RENEW_S):
        await publisher(dht, ghost).run()
    keys = MODEL.keys(MODEL.epoch_at(BEGIN))
    for key in keys:
        mine = [record for where, record in dht.taken if where == key]
        assert len(mine) == 2
        assert mine[0].sequence < mine[1].sequence
        assert mine[0].epoch_key == mine[1].epoch_key
        for record in mine:
            assert record.check(MAIN_NETWORK, key, record.expires - MAX_LIFE_S, 0) >= 0
            assert record.open(MODEL, key, BEGIN).node_id == ghost.node_id


@pytest.mark.trio
async def test_before_an_epoch_begins_records_lie_under_its_keys(autojump_clock: MockClock) -> None:
    dht = FakeDht()
    with trio.move_on_after(OVERLAP_S + 120):
        await publisher(dht, Identity.generate(), begin=BEGIN - OVERLAP_S - 60).run()
    now, following = (set(MODEL.keys(MODEL.epoch_at(BEGIN - 1) + step)) for step in (0, 1))
    assert {where for where, _ in dht.taken} == now | following
    first = min(record.expires for where, record in dht.taken if where in following)
    last = max(record.expires for where, record in dht.taken if where in now)
    assert first - MAX_LIFE_S <= BEGIN - OVERLAP_S + 20
    assert last - MAX_LIFE_S < BEGIN


@pytest.mark.trio
async def test_a_full_key_is_paid_more(autojump_clock: MockClock) -> None:
    dht, ghost = FakeDht(verdict=(Verdict.FULL, 5)), Identity.generate()
    made = publisher(dht, ghost, bits=2)
    with trio.move_on_after(100):
        await made.run()
    assert made.records == 0
    key = MODEL.keys(MODEL.epoch_at(BEGIN))[0]
    mine = [record for where, record in dht.taken if where == key]
    assert mine[0].check(MAIN_NETWORK, key, BEGIN, 2) >= 2
    assert mine[-1].check(MAIN_NETWORK, key, BEGIN, 5) >= 5


@pytest.mark.trio
async def test_while_nobody_is_known_nothing_is_published(autojump_clock: MockClock) -> None:
    dht = FakeDht(members=0)
    with trio.move_on_after(5):
        await publisher(dht, Identity.generate()).run()
    assert dht.taken == []
    dht.members = 3
    with trio.move_on_after(1):
        await publisher(dht, Identity.generate()).run()
    assert len(dht.taken) == 4


@pytest.mark.trio
async def test_a_node_without_models_publishes_nothing() -> None:
    made = Publisher(
        cast(DhtService, FakeDht()),
        Identity.generate(),
        [],
        lambda: b"",
        bits=0,
        clock=lambda: float(NOW),
    )
    with trio.move_on_after(0.1):
        await made.run()
    assert made.records == 0
