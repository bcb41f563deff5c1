"""A thousand circuits opened and closed through a chain of relays leave nothing behind."""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections import Counter
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from engine.circuit.client import ClientCircuit
from engine.circuit.relay import RelayCircuit
from engine.circuit.shaping import BULK_PLAN, ShapeClass, ShapePlan
from engine.crypto.client_layers import ClientLayers
from engine.crypto.hop import HopKeys
from engine.crypto.layers import RelayLayer
from engine.crypto.ratchet import Ratchet
from engine.errors import CircuitClosed
from engine.link.queues import CellQueue
from engine.wire.cells import DestroyReason
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
CIRCUITS = 1_000
TRACED = 150
AT_ONCE = 10
HOPS = 3
SHAPED = ShapePlan(ShapeClass.TEXT, 10, (4, 64))
KEPT = (ClientCircuit, RelayCircuit, ClientLayers, RelayLayer, HopKeys, Ratchet, CellQueue)
"""What holds keys or cells of a circuit."""


@dataclass
class Level:
    """What the process holds at a moment when no circuit is open."""

    tasks: int
    sockets: int
    routes: int
    runs: int
    circuits: int
    queued: int
    objects: Counter[str]

    @classmethod
    def of(cls, network: LocalNetwork) -> Level:
        gc.collect()
        owners = [network.client_links, *(node.links for node in network.nodes)]
        links = [link for owner in owners for link in owner.links]
        return cls(
            tasks=trio.lowlevel.current_statistics().tasks_living,
            sockets=len(os.listdir("/proc/self/fd")),
            routes=sum(len(link.routes) for link in links),
            runs=sum(len(link.runs) for link in links),
            circuits=sum(len(node.core.circuits) for node in network.nodes),
            queued=sum(link.queued for link in links),
            objects=Counter(type(o).__name__ for o in gc.get_objects() if isinstance(o, KEPT)),
        )


async def use(network: LocalNetwork, number: int) -> None:
    """One circuit's life: built, asked, and ended in one of the ways a circuit ends."""
    circuit = await network.circuit(plan=SHAPED if number % 50 == 0 else BULK_PLAN)
    stream = circuit.open_stream(SESSION)
    await stream.send_all(b"question")
    assert await stream.receive_some() == b"question"
    if number % 3 == 0:
        await stream.send_eof()
        assert await stream.receive_some() == b""
    if number % 4 == 0:
        await circuit.aclose("finished")
    elif number % 4 == 1:
        circuit.close("with its stream open")
    elif number % 4 == 2:
        for relayed in list(network.nodes[1].core.circuits.values())[:1]:
            relayed.destroy(DestroyReason.NONE)  # this circuit or another dies in the middle
        network.nodes[1].links.flush()
        circuit.close("finished")
    else:
        await stream.aclose()
        circuit.close("finished")


async def use_many(network: LocalNetwork, count: int) -> None:
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for number in numbers:
            try:
                await use(network, number)
            except CircuitClosed:
                continue  # a neighbour's destroy met this circuit

    with trio.fail_after(400):
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(one_after_the_other)


async def rest(network: LocalNetwork) -> None:
    """Until the last DESTROY has arrived everywhere."""
    with trio.fail_after(60):
        while any(node.core.circuits for node in network.nodes):
            await trio.sleep(0.01)
    await trio.testing.wait_all_tasks_blocked(0.05)


async def test_a_thousand_circuits_leave_no_task_key_socket_or_route() -> None:
    async with local_network(HOPS) as network:
        await use_many(network, 50)  # links open, caches fill
        await rest(network)
        before = Level.of(network)
        await use_many(network, CIRCUITS)
        await rest(network)
        assert Level.of(network) == before
        assert all(not node.faults for node in network.nodes)


async def test_memory_returns_to_its_level() -> None:
    """But for the replay caches, which remember every handshake of the epoch, as they must."""
    async with local_network(HOPS) as network:
        await use_many(network, 50)
        tracemalloc.start()
        try:
            await use_many(network, 50)
            await rest(network)
            gc.collect()
            level = tracemalloc.get_traced_memory()[0]
            await use_many(network, TRACED)
            await rest(network)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - level
        finally:
            tracemalloc.stop()
        # A leaked circuit would cost each of its hops some ten thousand bytes.
        assert grown < TRACED * HOPS * 1_500
