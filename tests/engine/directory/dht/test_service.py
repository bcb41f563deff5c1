"""The DHT over real links: a ghost publishes, relays keep, a client finds it through circuits."""

from __future__ import annotations

import time

import pytest
import trio

from engine.link.queues import CellBuffer, CellQueue
from engine.wire.advert import Role
from engine.wire.cells import HEADER, LINK_CIRC_ID, Command
from tests.helpers.dht_world import MODEL, dht_world


@pytest.mark.trio
async def test_a_ghost_that_nobody_told_of_is_found() -> None:
    async with dht_world() as world:
        ghost = world.ghost.node.identity.node_id
        assert world.client_set.get(ghost) is None
        publisher = world.ghost.publisher()
        world.nursery.start_soon(publisher.run)
        with trio.fail_after(60):
            while publisher.records < 4:
                await trio.sleep(0.02)
        finder = world.finder()
        found = await finder.find(MODEL)
        assert found == [ghost]
        assert len(set(world.asked)) == 4  # each of four relays one key
        advert = world.client_set.get(ghost)
        assert advert is not None
        assert advert in world.client_set.with_role(Role.GHOST)
        assert world.client_set.adverts.get(ghost) is None  # nobody we compare with can tell
        assert await finder.find(MODEL) == []  # not again so soon
        assert finder.searches == 1


@pytest.mark.trio
async def test_a_capability_that_nobody_has_is_not_found() -> None:
    async with dht_world(6) as world:
        assert await world.finder().find(MODEL) == []


@pytest.mark.trio
async def test_a_ghost_stores_nothing_and_stands_in_no_table() -> None:
    async with dht_world(6) as world:
        ghost = world.ghost
        world.nursery.start_soon(ghost.publisher().run)
        with trio.fail_after(60):
            while not any(len(one.dht.core.store) for one in world.relays):
                await trio.sleep(0.02)
        assert not len(ghost.dht.core.store)
        assert all(ghost.node.identity.node_id not in one.dht.core.table for one in world.relays)


@pytest.mark.trio
async def test_a_malformed_message_ends_the_link() -> None:
    async with dht_world(3) as world:
        relay = world.relays[0].node
        link = await world.client_links.get(relay.identity.node_id, relay.host, relay.port)
        cell = CellBuffer()
        HEADER.pack_into(cell.data, 0, LINK_CIRC_ID, Command.DHT)
        cell.body[0] = 99
        link.enqueue(CellQueue(), cell)
        link.flush()
        with trio.fail_after(60):
            while not link.closed:
                await trio.sleep(0.01)


@pytest.mark.trio
async def test_relays_that_are_gone_are_passed_over() -> None:
    async with dht_world(8) as world:
        publisher = world.ghost.publisher()
        world.nursery.start_soon(publisher.run)
        with trio.fail_after(60):
            while publisher.records < 4:
                await trio.sleep(0.02)
        key = MODEL.keys(MODEL.epoch_at(time.time()))[0]
        asking = world.relays[0].dht
        for gone in world.relays[5:]:
            for link in list(gone.node.links.links):
                link.close()
            gone.node.links.on_link_cell.clear()
        with trio.fail_after(60):
            records = await asking.find_values(key)
        assert len(records) == 1
