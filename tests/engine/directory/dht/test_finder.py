"""A client's search: one key a relay, patient with none, believes signatures alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from engine.circuit.client import ClientCircuit
from engine.directory.dht.exits import LookupService
from engine.directory.dht.finder import AGAIN_EMPTY_S, AGAIN_S, GRACE_S, GhostFinder
from engine.directory.relays import RelaySet
from engine.directory.rules import PathRules
from engine.errors import CircuitClosed
from engine.identity import Identity
from engine.wire.advert import Advert, Role
from tests.helpers.market_fakes import stream_pair
from tests.helpers.records import MODEL, NOW, record, signed_advert

KEYS = MODEL.keys(MODEL.epoch_at(NOW))


@dataclass
class World:
    """Relays that answer, fail, or say nothing."""

    nursery: trio.Nursery
    records: dict[bytes, list[bytes]]
    dead: int = 0  # of the first relays asked
    silent: bool = False  # those that hold nothing
    asked: dict[bytes, bytes] = field(default_factory=dict)
    built: int = 0
    retired: int = 0

    def __post_init__(self) -> None:
        self.relays = RelaySet(None, test_network=True, clock=lambda: float(NOW))
        for place in range(12):
            raw = signed_advert(Identity.generate(), f"127.{place + 1}.0.1", roles=Role.RELAY)
            self.relays.adverts.add(raw, NOW)
        self.finder = GhostFinder(
            self._build,
            self._retire,
            self.relays,
            rules=PathRules(),
            work_bits=0,
            clock=lambda: float(NOW),
            rng=Random(2),
        )

    async def _build(self, relay: Advert) -> ClientCircuit:
        await trio.lowlevel.checkpoint()
        self.built += 1
        if self.built <= self.dead:
            raise CircuitClosed("The test has no such relay.")
        return cast(ClientCircuit, _Circuit(self, relay.node_id))

    def _retire(self, _circuit: ClientCircuit) -> None:
        self.retired += 1


class _Circuit:
    def __init__(self, world: World, relay: bytes) -> None:
        self._world = world
        self._relay = relay

    def open_stream(self, _begin: bytes) -> Any:
        client, relay = stream_pair(self._relay)
        relay.accept = lambda: None  # type: ignore[attr-defined]
        self._world.nursery.start_soon(LookupService(self._find).serve, relay, b"")
        return client

    async def _find(self, key: bytes) -> list[bytes]:
        self._world.asked[self._relay] = key
        if self._world.silent and key not in self._world.records:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return self._world.records.get(key, [])


@pytest.mark.trio
async def test_four_relays_get_a_key_each_and_all_circuits_are_left() -> None:
    ghosts = [Identity.generate() for _ in range(4)]
    records = {key: [record(one, key=key)] for key, one in zip(KEYS, ghosts, strict=True)}
    async with trio.open_nursery() as nursery:
        world = World(nursery, records)
        found = await world.finder.find(MODEL)
        assert set(found) == {one.node_id for one in ghosts}
        assert sorted(world.asked.values()) == sorted(KEYS)
        assert world.built == world.retired == 4


@pytest.mark.trio
async def test_another_relay_is_asked_where_one_fails() -> None:
    ghost = Identity.generate()
    async with trio.open_nursery() as nursery:
        world = World(nursery, {key: [record(ghost, key=key)] for key in KEYS}, dead=4)
        assert await world.finder.find(MODEL) == [ghost.node_id]
        assert world.built == 8
        assert len(world.asked) == 4


@pytest.mark.trio
async def test_a_silent_relay_does_not_keep_the_user_waiting(autojump_clock: MockClock) -> None:
    del autojump_clock
    ghost = Identity.generate()
    async with trio.open_nursery() as nursery:
        world = World(nursery, {KEYS[2]: [record(ghost, key=KEYS[2])]}, silent=True)
        started = trio.current_time()
        assert await world.finder.find(MODEL) == [ghost.node_id]
        assert trio.current_time() - started <= GRACE_S
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_search_is_not_made_again_soon(mock_clock: MockClock) -> None:
    ghost = Identity.generate()
    async with trio.open_nursery() as nursery:
        world = World(nursery, {})
        assert await world.finder.find(MODEL) == []
        assert await world.finder.find(MODEL) == []
        assert world.built == 4
        mock_clock.jump(AGAIN_EMPTY_S + 1)
        world.records[KEYS[0]] = [record(ghost, key=KEYS[0])]
        assert await world.finder.find(MODEL) == [ghost.node_id]
        mock_clock.jump(AGAIN_S - 1)
        assert await world.finder.find(MODEL) == []
        assert world.built == 8
