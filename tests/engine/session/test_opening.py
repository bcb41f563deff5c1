"""What a session with a ghost can serve, judged by the ghost's own quote."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.session.opening import Pinned, SessionOpener
from engine.session.preferences import Preferences
from engine.wire.quote import ModelOffer, Quote

pytestmark = pytest.mark.trio
QUOTE = Quote(
    key=bytes(32),
    id=bytes(16),
    models=(ModelOffer.plain("m", 1_000, 2_000, 100),),
    chunk_msat=10_000,
    cap_msat=100_000,
    mints=("http://mint",),
    policy=bytes(32),
    expires=1,
)


def pinned(quote: Quote | None) -> Pinned:
    nothing = cast(Any, None)
    return Pinned(nothing, nothing, 0.0, quote)


async def test_any_model_will_do_when_none_is_named() -> None:
    assert pinned(QUOTE).serves(Preferences())
    assert pinned(QUOTE).serves(Preferences(model="m"))
    assert not pinned(QUOTE).serves(Preferences(model="other"))


async def test_a_ghost_with_nothing_on_offer_serves_nobody_and_harms_nobody() -> None:
    empty = pinned(replace(QUOTE, models=()))
    assert not empty.serves(Preferences())
    assert not empty.serves(Preferences(model="m"))
    desk = SimpleNamespace(boxes=object(), _nursery=object())
    SessionOpener._stock(cast(Any, desk), empty)
    assert empty.shelf is None
