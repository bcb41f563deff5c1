"""From offers, opinions and the purse to an order of ghosts; and in words when there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_trio
import trio

from engine.errors import ConfigError, GhostError, PaymentError
from engine.market.observations import Seen
from engine.session.chooser import Chooser
from engine.session.preferences import Preferences
from engine.session.witness import Witness
from engine.wire.policy import GhostPolicy
from engine.wire.quote import ModelOffer, Quote
from tests.engine.session.test_offers import World, ghost, sheet_of
from tests.helpers.adverts import NOW, identity_of
from tests.wallet.support import open_store
from wallet.store import Store

pytestmark = pytest.mark.trio


@pytest_trio.trio_fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store(tmp_path) as opened:
        yield opened


def chooser_of(
    world: World, store: Store, *mints: str, wishes: Preferences | None = None
) -> Chooser:
    async def balances() -> list[Any]:
        await trio.lowlevel.checkpoint()
        return [SimpleNamespace(url=mint, available_sat=5) for mint in mints]

    wallet = cast("Any", SimpleNamespace(balances=balances))
    witness = Witness(store, now=lambda: NOW)
    return Chooser(world.offers, witness, wallet, wishes or Preferences(), rng=Random(1))


async def world_of(**policies: str) -> World:
    """Two ghosts with the shared model "small", each under a policy."""
    world = World(1, 2)
    for number in (1, 2):
        policy = GhostPolicy(jurisdiction=policies.get(f"place{number}", "")).encode()
        offer = ModelOffer.plain("small", 10, 40, 512)
        offer = replace(offer, features=("images",), context=8_000)
        sheet = replace(sheet_of(number), models=(offer,), policy=policy)
        advert = world.relays.get(ghost(number))
        assert advert is not None
        assert world.offers._sheets is not None
        world.offers._sheets._sheets[advert.sheet_commitment] = sheet
    await trio.lowlevel.checkpoint()
    return world


async def test_known_ghosts_are_ordered_and_strangers_to_the_model_are_not(store: Store) -> None:
    chooser = chooser_of(await world_of(), store, "https://m")
    found = await chooser.order(chooser.want("small"))
    assert {choice.ghost for choice in found} == {ghost(1), ghost(2)}
    assert all("2 that serve small" in choice.why for choice in found)
    with pytest.raises(GhostError, match="No ghost serves this model"):
        await chooser.order(chooser.want("other"))


async def test_without_a_common_mint_it_is_a_matter_of_money(store: Store) -> None:
    chooser = chooser_of(await world_of(), store, "https://elsewhere")
    with pytest.raises(PaymentError, match="no ecash of a mint"):
        await chooser.order(chooser.want("small"))
    empty = chooser_of(await world_of(), store)
    assert len(await empty.order(empty.want("small"))) == 2, "an empty wallet excludes nobody"


async def test_quarantine_and_places_are_told_as_reasons(store: Store) -> None:
    wishes = Preferences(only_places=("CH",))
    chooser = chooser_of(await world_of(place1="CH"), store, "https://m", wishes=wishes)
    (only,) = await chooser.order(chooser.want("small"))
    assert only.ghost == ghost(1)
    chooser._witness.note(ghost(1), Seen.OVERBILLED)
    with pytest.raises(GhostError) as caught:
        await chooser.order(chooser.want("small"))
    assert "1: in quarantine" in caught.value.hint
    assert "it names no jurisdiction" in caught.value.hint
    (named,) = await chooser.order(chooser.want("small", ghost=ghost(1).hex()[:8]))
    assert named.why.startswith("You named it")
    for wrong in ("xyz", "12 "):
        with pytest.raises(ConfigError):
            chooser.want("small", ghost=wrong)


async def test_models_are_listed_with_what_is_thought_of_them(store: Store) -> None:
    chooser = chooser_of(await world_of(place1="US-CA"), store, "https://m")
    chooser._witness.note(ghost(1), Seen.ANSWERED, model="small", ttft_ms=900)
    chooser._witness.note(ghost(2), Seen.CHEATED, model="small")
    good, bad = await chooser.models({})
    assert (good.ghost, good.latency_ms, good.quarantined) == (ghost(1).hex()[:8], 900, "")
    assert good.policy is not None
    assert (good.policy.jurisdiction, good.features, good.context) == ("US-CA", ["images"], 8_000)
    assert "answered 1 of the last 1" in good.why
    assert bad.quarantined == "its receipt did not hold"
    assert (good.score or 0) > (bad.score or 1)


async def test_an_old_quote_gives_way_to_the_sheet() -> None:
    world = await world_of()
    sheet = world.offers.sheet(ghost(1))
    assert sheet is not None
    cheap = replace(sheet.models[0], in_price=1, cached_price=1)
    quote = Quote(
        key=identity_of(1).public,
        id=bytes(16),
        models=(cheap,),
        chunk_msat=sheet.chunk_msat,
        cap_msat=sheet.cap_msat,
        mints=sheet.mints,
        policy=sheet.policy_hash,
        expires=4_000_000_000,
    )
    world.offers.take(ghost(1), quote)
    assert world.offers.terms(ghost(1)) is quote
    world.offers.take(ghost(1), replace(quote, expires=1))
    assert world.offers.terms(ghost(1)) == sheet
