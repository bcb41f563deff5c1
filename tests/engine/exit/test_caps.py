"""The caps of a day, over the books of the real store: never above, also after a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.exit.admission import Spent
from engine.exit.backends.base import Usage
from engine.exit.caps import DAY_S, Amount, Caps, Held, actual, most
from engine.exit.settings_models import Costs, ModelSettings
from engine.exit.settings_rules import CapSettings
from engine.market.commands import Refusal
from wallet.store import KeyFile, Store

DAY = 20_000
NOON = DAY * DAY_S + DAY_S / 2
MODEL = ModelSettings("m", costs=Costs(1_000_000, 4_000_000, 500_000, 8_000_000))
CAPS = CapSettings(micro_usd_per_day=1_000, tokens_per_day=0)


async def opened(folder: Path) -> Store:
    return await Store.open(
        folder / "store.db", KeyFile(folder / "key", create=True), create=True, clock=lambda: NOON
    )


async def hold(caps: Caps, micro_usd: int, now: float = NOON) -> Held:
    held = caps.hold(Amount(micro_usd, 10), now)
    assert isinstance(held, Held)
    return held


def test_the_most_covers_every_kind_of_token() -> None:
    amount = most(MODEL, 300, 100)
    assert amount == Amount(300 * 1 + 100 * 8, 400)
    for usage in (Usage(300, 100), Usage(300, 100, 300, 0), Usage(10, 100, 0, 100)):
        cost, tin, tout = actual(MODEL, 300, Spent(usage))
        assert cost.micro_usd <= amount.micro_usd
        assert (tin, tout) == (usage.tokens_in, usage.tokens_out)


def test_parts_of_a_usage_have_their_own_price() -> None:
    cost, _, _ = actual(MODEL, 300, Spent(Usage(100, 50, cached=40, reasoning=20)))
    assert cost.micro_usd == 60 * 1 + 20 + 30 * 4 + 20 * 8


@pytest.mark.parametrize("failure", ["auth", "rate_limit", "bad_request", "unreachable"])
def test_a_provider_that_did_not_begin_costs_nothing(failure: str) -> None:
    assert actual(MODEL, 300, Spent(failure=failure))[0] == Amount()


@pytest.mark.parametrize("failure", ["", "broken_stream", "timeout", "overloaded"])
def test_without_counts_the_cost_is_not_below_what_may_have_been(failure: str) -> None:
    cost, _, _ = actual(MODEL, 300, Spent(text_bytes=40, failure=failure))
    assert cost.micro_usd == 300 + 20 * 8


@pytest.mark.trio
async def test_the_cap_holds_with_what_is_under_way(tmp_path: Path) -> None:
    async with await opened(tmp_path) as store:
        caps = Caps(store.ghost, CAPS, now=NOON)
        await caps.load(NOON)
        first = await hold(caps, 600)
        refused = caps.hold(Amount(600, 1), NOON)
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.after) == ("cap_reached", 60)
        first.release()
        first.release()
        assert caps.used(NOON) == Amount()
        second = await hold(caps, 600)
        await second.begin(store.ghost, "m")
        second.release()
        assert caps.used(NOON).micro_usd == 600
        await second.end(store.ghost, Amount(500, 5), 77, 3, 2)
        assert caps.used(NOON) == Amount(500, 5)
        refused = caps.hold(Amount(501, 1), NOON)
        assert isinstance(refused, Refusal)
        assert refused.after == DAY_S // 2
        assert [(c.micro_usd, c.cost_msat, c.answers) for c in await store.ghost.costs()] == [
            (500, 77, 1)
        ]


@pytest.mark.trio
async def test_what_was_under_way_at_a_crash_counts_at_its_most(tmp_path: Path) -> None:
    async with await opened(tmp_path) as store:
        caps = Caps(store.ghost, CAPS, now=NOON)
        held = await hold(caps, 600)
        await held.begin(store.ghost, "m")
    async with await opened(tmp_path) as store:
        caps = Caps(store.ghost, CAPS, now=NOON)
        await caps.load(NOON)
        assert caps.used(NOON).micro_usd == 600
        assert isinstance(caps.hold(Amount(500, 1), NOON), Refusal)
        await caps.load(NOON)
        assert caps.used(NOON).micro_usd == 600


@pytest.mark.trio
async def test_a_new_day_begins_at_midnight_utc(tmp_path: Path) -> None:
    async with await opened(tmp_path) as store:
        caps = Caps(store.ghost, CAPS, now=NOON)
        late = await hold(caps, 900)
        await late.begin(store.ghost, "m")
        tomorrow = (DAY + 1) * DAY_S + 1.0
        assert isinstance(caps.hold(Amount(200, 1), tomorrow), Refusal)  # it still runs
        await late.end(store.ghost, Amount(900, 1), 0, 1, 0)
        assert caps.used(tomorrow) == Amount()
        assert await store.ghost.spent(DAY) == (900, 1)
        assert await store.ghost.spent(DAY + 1) == (0, 0)


@pytest.mark.trio
async def test_tokens_have_a_cap_of_their_own(tmp_path: Path) -> None:
    async with await opened(tmp_path) as store:
        caps = Caps(store.ghost, CapSettings(tokens_per_day=100), now=NOON)
        assert isinstance(caps.hold(Amount(10**9, 100), NOON), Held)
        assert isinstance(caps.hold(Amount(0, 101), NOON), Refusal)


@pytest.mark.trio
async def test_refusals_are_counted_by_day_and_reason(tmp_path: Path) -> None:
    async with await opened(tmp_path) as store:
        for day, reason in ((1, "busy"), (1, "busy"), (2, "busy"), (2, "moderated")):
            await store.ghost.refused(day, reason)
        assert await store.ghost.refusals() == {"busy": 3, "moderated": 1}
        assert await store.ghost.refusals(since_day=2) == {"busy": 1, "moderated": 1}
