"""Test questions over a whole network: paid from their own purse, judged, gone without a trace."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import trio

from engine.circuit.shape_menu import ShapeMenu
from engine.market.probes import Probe
from engine.session import prober as module
from engine.session.habits import ENOUGH, Habits
from engine.session.prober import Prober
from engine.session.purse import KEY, ProbePurse
from engine.wire.shape import ShapeClass
from tests.helpers.kill_world import (
    Client,
    KillWorld,
    kill_world,
)
from tests.helpers.virtual_time import threads_inline, virtual_clock
from tests.wallet.support import open_store

SHAPES = ShapeMenu(ShapeClass.BULK)
RIGHT, WRONG = Probe("Say it, Velmorastin.", ("word",), "Velmorastin"), Probe("?", ("nothing",))


def prober_of(world: KillWorld, client: Client, sat_per_day: int) -> Prober:
    purse = ProbePurse(world.store.settings, sat_per_day, lambda: 0.0)
    return Prober(client.chats.desk, purse, SHAPES, client.chats.composer.defaults, rng=Random(1))


def test_a_probe_is_paid_judged_and_leaves_no_chat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "draw_questions", lambda _rng: [RIGHT, WRONG])

    async def main() -> None:
        async with kill_world(tmp_path) as world:
            client = await world.new_client()
            desk = client.chats.desk
            prober = prober_of(world, client, 1_000)
            await prober.probe()
            told = prober.told()
            assert (told.asked, told.right, told.wrong, told.canaries) == (2, 1, 1, 1)
            costs = [row[4] for row in world.ghost.books.earnings.rows]
            assert told.spent_today_msat == sum(costs) > 0
            kept = json.loads(await world.store.settings.get(KEY) or "")
            assert kept["spent_msat"] == sum(costs)
            assert await world.store.sessions.list(archived=True) == []
            assert await world.store.unfinished.list() == []
            await trio.sleep(130)
            assert desk.open_sessions == [], "settled and left like a chat's"
            await desk.witness.flush()
            ghost = world.ghost.node.identity.node_id
            seen = (await world.store.evidence.counts())[ghost]
            assert seen == {"answered": 2, "probe right": 1, "probe wrong": 1}
            assert await world.store.evidence.canaries() == {"velmorastin": ghost}
            client.kill()

    with threads_inline():
        trio.run(main, clock=virtual_clock())


def test_without_enough_left_of_the_day_nothing_is_asked(tmp_path: Path) -> None:
    async def main() -> None:
        async with kill_world(tmp_path) as world:
            client = await world.new_client()
            prober = prober_of(world, client, 1)
            await prober.probe()
            assert prober.told().asked == 0
            assert world.ghost.books.earnings.rows == []
            await trio.sleep(130)
            assert client.chats.desk.open_sessions == []
            with trio.fail_after(1):
                await prober_of(world, client, 0).run()
            client.kill()

    with threads_inline():
        trio.run(main, clock=virtual_clock())


@pytest.mark.trio
async def test_the_purse_outlives_the_process_and_is_new_each_day(tmp_path: Path) -> None:
    async with await open_store(tmp_path) as store:
        now = [1_000.0]
        purse = ProbePurse(store.settings, 10, lambda: now[0])
        await purse.load()
        assert await purse.set_aside(8_000)
        assert not await purse.set_aside(3_000)
        again = ProbePurse(store.settings, 10, lambda: now[0])
        await again.load()
        assert again.spent_msat == 8_000, "what was set aside before a crash counts as spent"
        await again.settle(8_000, 1_500)
        assert again.spent_msat == 1_500
        now[0] += 86_400
        assert again.spent_msat == 0
        assert await again.set_aside(10_000)
        await store.settings.set(KEY, "no json")
        await purse.load()
        assert purse.spent_msat == 0


def test_habits_follow_the_user() -> None:
    habits, rng = Habits(), Random(1)
    assert any(habits.draw_first(rng) == 0.0 for _ in range(20))
    for _ in range(ENOUGH):
        habits.first(200.0)
        habits.next(10.0)
    assert all(150 < habits.draw_first(rng) < 260 for _ in range(50))
    assert all(7 < habits.draw_next(rng) < 13 for _ in range(50))
