"""Mailboxes over the circuits that a real client builds: guard, middle, relay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.pool import CircuitPool
from engine.crypto.suite import default_suite
from engine.directory.guards import GuardList
from engine.mailbox.client import MailboxClient
from engine.wire.advert import Advert
from engine.wire.shape import BULK_PLAN
from tests.helpers.mailbox import mailbox_network

pytestmark = pytest.mark.trio


async def save(_guards: list[dict[str, object]]) -> None:
    """Nobody starts again in these tests."""


async def test_every_visit_is_a_circuit_of_its_own_through_the_guard(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 4) as world:
        world.directory.reload()
        pool = CircuitPool(
            world.network.client_links,
            world.directory,
            GuardList(),
            suite=default_suite(),
            save_guards=save,
            on_change=lambda *_change: None,
        )
        await world.network.nursery.start(pool.run)
        circuits: list[ClientCircuit] = []

        async def build(advert: Advert, purpose: str) -> ClientCircuit:
            circuits.append(await pool.build_to_relay(advert, purpose, BULK_PLAN))
            return circuits[-1]

        with trio.fail_after(60):
            first = await pool.build_to_relay(world.relays[0].advert, "wallet", BULK_PLAN)
            guard = world.relay(first.path[0].node_id)
            client = MailboxClient(build, world.directory, rules=pool.rules, pause_s=0.05)
            pickup = await client.prepare(16, [guard.advert])
            answer = os.urandom(5_000)
            assert await world.sender.send([pickup.block], answer) == 1
            assert (await client.fetch(pickup)).data == answer
            await client.discard(pickup)
            while pool.circuits.keys() != {1}:
                await trio.sleep(0.01)
        assert len(circuits) == 5  # box, route, fetch, two discards
        for circuit in circuits:
            nodes = [hop.node_id for hop in circuit.path]
            assert len(set(nodes)) == len(nodes) == 3
            assert nodes[0] == guard.node.identity.node_id
