"""A provider's list that asks more than the settings say is told; one without prices is left."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from engine.exit.backends.build import build_backend
from engine.exit.backends.upstream import Upstream
from engine.exit.price_watch import PriceWatch
from engine.exit.settings_models import Costs, ModelSettings
from tests.helpers.wire_server import Reply, serving

pytestmark = pytest.mark.trio
MODELS = [
    ModelSettings("small", costs=Costs(150_000, 600_000, 75_000, 600_000)),
    ModelSettings("unpriced"),
]
NAMES = {"small": "vendor/small", "unpriced": "vendor/other"}


def document(tokens_in: str, tokens_out: str) -> Reply:
    price = {"prompt": tokens_in, "completion": tokens_out, "input_cache_read": "0.00000008"}
    listed: list[dict[str, Any]] = [
        {"id": name, "pricing": price} for name in ("vendor/small", "vendor/other", "more")
    ]
    return Reply.document({"data": listed})


async def test_a_dearer_list_is_told_with_the_words_to_type() -> None:
    usual, dearer = document("0.00000015", "0.0000006"), document("0.0000002", "0.0000006")
    async with serving(usual, Reply.document({}, 503), dearer, usual) as server:
        pool = build_backend([Upstream(url=server.url, key="k", models=NAMES)])
        watch = PriceWatch([(partial(pool.listing, 0), NAMES)])
        told = []
        for _ in range(4):
            await watch.look()
            told.append(watch.warnings(MODELS))
        await pool.aclose()
    assert [len(one) for one in told] == [0, 0, 1, 0]
    assert "--cost small=0.2:0.6:0.08`" in told[2][0]
    assert len(server.seen) == 4


async def test_of_two_providers_the_dearer_counts() -> None:
    dear, cheap = document("0.0000002", "0.0000005"), document("0.0000001", "0.0000007")
    async with serving(dear) as first, serving(cheap) as second:
        urls = (first.url, second.url)
        pool = build_backend([Upstream(url=url, models=NAMES) for url in urls])
        watch = PriceWatch((partial(pool.listing, place), NAMES) for place in range(2))
        await watch.look()
        await pool.aclose()
    assert "--cost small=0.2:0.7:0.08`" in watch.warnings(MODELS)[0]


async def test_a_list_without_prices_is_asked_once() -> None:
    async with serving(Reply.document({"data": [{"id": "vendor/small"}]})) as server:
        pool = build_backend([Upstream(url=server.url, models=NAMES)])
        watch = PriceWatch([(partial(pool.listing, 0), NAMES)])
        await watch.look()
        await watch.look()
        await pool.aclose()
    assert watch.warnings(MODELS) == []
    assert len(server.seen) == 1


async def test_without_a_provider_there_is_nothing_to_look_at() -> None:
    await PriceWatch([]).run()
