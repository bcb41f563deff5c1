"""The work of this node's own identity: made once an epoch, kept, renewed when more is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.crypto.identity_work import epoch_ends, epoch_of, is_solved, solve
from engine.directory.adverts import AdvertSet, Outcome
from engine.directory.relays import RelaySet
from engine.directory.work import OwnWork
from engine.errors import WireError
from engine.wire.advert import Advert
from tests.helpers.adverts import NOW, advert_of, identity_of

pytestmark = pytest.mark.trio

NODE = identity_of(1).node_id


class Kept:
    def __init__(self) -> None:
        self.saved: list[bytes] = []

    async def __call__(self, data: bytes) -> None:
        self.saved.append(data)


async def test_work_is_made_once_an_epoch_and_kept() -> None:
    kept = Kept()
    work = OwnWork(NODE, 4, save=kept)
    assert await work.ensure(NOW)
    assert not await work.ensure(NOW)
    assert is_solved(NODE, work.epoch, work.nonce, 4)
    later = epoch_ends(NODE, epoch_of(NODE, NOW))
    assert await work.ensure(later)
    assert work.epoch == epoch_of(NODE, later)
    again = OwnWork(NODE, 4, kept.saved[-1], save=kept)
    assert not await again.ensure(later)


async def test_a_higher_price_is_paid_anew() -> None:
    kept = Kept()
    await OwnWork(NODE, 2, save=kept).ensure(NOW)
    dearer = OwnWork(NODE, 5, kept.saved[-1], save=kept)
    assert await dearer.ensure(NOW)
    assert is_solved(NODE, dearer.epoch, dearer.nonce, 5)


async def test_no_price_no_work() -> None:
    kept = Kept()
    assert not await OwnWork(NODE, 0, save=kept).ensure(NOW)
    assert kept.saved == []


async def test_damaged_work_is_refused() -> None:
    with pytest.raises(WireError):
        OwnWork(NODE, 2, b"short", save=Kept())


def paid(number: int, bits: int, *, published: int = NOW, epoch_shift: int = 0) -> bytes:
    """An advert with `bits` of work, for the epoch of its publication or another."""
    identity = identity_of(number)
    advert = Advert.decode(advert_of(number, published=published), published)
    epoch = epoch_of(identity.node_id, published) + epoch_shift
    nonce = solve(identity.node_id, epoch, bits)
    return replace(advert, work_epoch=epoch, work_nonce=nonce).encode(identity)


async def test_a_cheap_advert_is_refused_before_it_is_kept() -> None:
    relays = RelaySet(None, test_network=True, work_bits=8, clock=lambda: NOW)
    assert relays.adverts.add(advert_of(2), NOW) is Outcome.REFUSED
    assert relays.adverts.add(paid(2, 8, epoch_shift=-1), NOW) is Outcome.REFUSED
    assert relays.adverts.add(paid(2, 8), NOW) is Outcome.KEPT
    assert relays.restore(relays.dump()) == 1


async def test_work_is_checked_once_an_epoch() -> None:
    checks = 0

    def is_paid(advert: Advert) -> bool:
        nonlocal checks
        checks += 1
        return advert.has_work(4)

    adverts = AdvertSet(is_paid=is_paid)
    first = Advert.decode(paid(3, 4), NOW)
    assert adverts.add(first.raw, NOW) is Outcome.KEPT
    renewed = replace(first, published=NOW + 60, expires=NOW + 3_660).encode(identity_of(3))
    assert adverts.add(renewed, NOW + 60) is Outcome.KEPT
    assert checks == 1
