# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Sheets and offers: sheets fetched alike for all ghosts, checked, and held against quotes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, GhostError
from engine.session.offers import Offers
from engine.session.sheets import FETCHED_AT_ONCE, RETRY_S, SheetBook
from engine.wire.advert import Advert, Role
from engine.wire.quote import ModelOffer, Quote
from engine.wire.sheet import Sheet, commitment
from tests.helpers.adverts import NOW, advert_of, identity_of

pytestmark = pytest.mark.trio


def sheet_of(number: int) -> Sheet:
    return Sheet(
        (ModelOffer.plain(f"model-{number}", 10, 40, 512),),
        16_000,
        200_000,
        ("https://m",),
        b"policy",
    )


class World:
    """Ghosts with sheets, and what was asked of them."""

    def __init__(self, *numbers: int) -> None:
        self.relays = RelaySet(None, test_network=True, clock=lambda: NOW)
        self.raw_sheets = {identity_of(n).node_id: sheet_of(n).encode() for n in numbers}
        for number in numbers:
            plain = Advert.decode(advert_of(number, roles=Role.GHOST), NOW)
            promised = commitment(self.raw_sheets[plain.node_id])
            signed = replace(plain, sheet_commitment=promised).encode(identity_of(number))
            self.relays.adverts.add(signed, NOW)
        self.asked: Counter[bytes] = Counter()
        self.at_once = self.most_at_once = self.changes = 0
        self.broken = False
        self.sheets = SheetBook(self.relays, self.fetch, on_change=self.changed)
        self.connected: list[bytes] = []
        self.offers = Offers(self.relays, self.connect, self.sheets)

    async def connect(self, ghost: bytes) -> None:
        self.connected.append(ghost)

    def changed(self) -> None:
        self.changes += 1

    async def fetch(self, ghost: Advert) -> bytes:
        self.asked[ghost.node_id] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await trio.sleep(0.1)
        self.at_once -= 1
        if self.broken:
            raise CircuitClosed("gone")
        return self.raw_sheets[ghost.node_id]


def ghost(number: int) -> bytes:
    return identity_of(number).node_id


async def test_every_sheet_is_fetched_once_a_few_at_a_time(autojump_clock: MockClock) -> None:
    world = World(*range(1, 10))
    for _ in range(3):
        await world.sheets.refresh()
    assert set(world.asked.values()) == {1}
    assert world.most_at_once == FETCHED_AT_ONCE
    assert world.changes == 9
    models = await world.offers.models({})
    assert {model.model for model in models} == {f"model-{n}" for n in range(1, 10)}
    assert world.connected == []


async def test_a_sheet_that_does_not_match_its_advert_counts_for_nothing(
    autojump_clock: MockClock,
) -> None:
    world = World(1, 2)
    world.raw_sheets[ghost(1)] = sheet_of(2).encode()
    await world.sheets.refresh()
    assert world.sheets.sheet_of(ghost(1)) is None
    assert world.sheets.sheet_of(ghost(2)) == sheet_of(2)
    assert [model.model for model in await world.offers.models({})] == ["model-2"]
    assert world.connected == [ghost(1)]


async def test_a_ghost_that_does_not_answer_is_asked_again_later(
    autojump_clock: MockClock,
) -> None:
    world = World(1)
    world.broken = True
    with trio.move_on_after(RETRY_S - 20):
        await world.sheets.run()
    assert world.asked[ghost(1)] == 1
    world.broken = False
    with trio.move_on_after(60):
        await world.sheets.run()
    assert world.sheets.sheet_of(ghost(1)) == sheet_of(1)


async def test_a_quote_dearer_than_the_sheet_is_refused(autojump_clock: MockClock) -> None:
    world = World(1)
    sheet = sheet_of(1)
    quote = Quote(
        key=bytes(32),
        id=bytes(16),
        models=sheet.models,
        chunk_msat=sheet.chunk_msat,
        cap_msat=sheet.cap_msat,
        mints=sheet.mints,
        policy=sheet.policy_hash,
        expires=NOW,
    )
    dearer = replace(quote, models=(ModelOffer.plain("model-1", 11, 40, 512),))
    assert world.offers.take(ghost(1), dearer) is dearer  # nothing to hold it against yet
    await world.sheets.refresh()
    assert world.offers.take(ghost(1), quote) is quote
    with pytest.raises(GhostError, match="more than it advertises"):
        world.offers.take(ghost(1), dearer)


@pytest.mark.trio
async def test_ghosts_are_looked_for_by_model_alone() -> None:
    asked: list[str] = []

    async def find(model: str) -> bool:
        await trio.lowlevel.checkpoint()
        asked.append(model)
        return True

    async def ask(_ghost: bytes) -> None:
        raise AssertionError("nobody is asked")

    relays = RelaySet(None, test_network=True)
    offers = Offers(relays, ask, find_more=find)
    assert await offers.look_for("tiny")
    assert not await offers.look_for(None)  # a search for anything would be a search for nothing
    assert not await Offers(relays, ask).look_for("tiny")
    assert asked == ["tiny"]


async def test_ranges_tell_the_prices_of_each_model_and_ask_nobody() -> None:
    world = World(1, 2)
    assert world.offers.ranges() == []
    for number, price in ((1, 30), (2, 50)):
        offer = ModelOffer.plain("shared", price, 2 * price, 512)
        ghost = world.relays.get(identity_of(number).node_id)
        assert ghost is not None
        sheet = replace(sheet_of(number), models=(offer, *sheet_of(number).models))
        world.sheets._sheets[ghost.sheet_commitment] = sheet
    found = {one.model: one for one in world.offers.ranges()}
    assert set(found) == {"shared", "model-1", "model-2"}
    shared = found["shared"]
    assert (shared.ghosts, shared.in_low, shared.in_high) == (2, 30, 50)
    assert (shared.out_low, shared.out_high) == (60, 100)
    assert (found["model-1"].ghosts, world.connected) == (1, [])
