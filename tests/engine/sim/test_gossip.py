# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Layer A with tens of nodes on virtual time."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from engine.sim.gossip import GossipWorld, spread_times

pytestmark = pytest.mark.trio


async def test_a_newcomer_is_known_to_all_within_minutes(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        world = GossipWorld(40, 1, nursery)
        world.acquaint()
        half, everyone = await spread_times(world, (0.5, 1.0), 600)
        assert half < 60
        assert everyone < 300
        nursery.cancel_scope.cancel()


async def test_nobody_misses_much_while_nodes_come_and_go(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.sim.gossip.ADVERT_LIFE_S", 1_200)
    monkeypatch.setattr("engine.sim.gossip.RENEW_S", 400.0)
    async with trio.open_nursery() as nursery:
        world = GossipWorld(30, 2, nursery)
        world.acquaint()
        for _ in range(6):
            world.replace_one()
            await trio.sleep(100)
        await trio.sleep(200)
        assert world.missing() == 0
        dead = {name for name, node in world.by_id.items() if not node.alive}
        assert len(dead) == 6
        await trio.sleep(1_300)
        held = [world.nodes[0].adverts.get(name) for name in dead]
        assert held == [None] * 6
        nursery.cancel_scope.cancel()
