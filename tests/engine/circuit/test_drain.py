"""Shutting a relay down: nothing new, what runs comes to its end, neighbours are told, keys go."""

from __future__ import annotations

import pytest
import trio

from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.relay_core import QUIET_S
from engine.circuit.shaping import BULK_PLAN, ShapeClass, ShapePlan
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed, LayerError
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))


async def test_a_draining_relay_takes_no_new_circuits_and_says_why() -> None:
    async with local_network(3) as network:
        network.nodes[0].core.draining = True
        circuit = ClientCircuit(network.path(), default_suite(), "test", BULK_PLAN)
        with trio.fail_after(60), pytest.raises(CircuitClosed) as caught:
            await circuit.build(network.client_links)
        assert "hibernating" in str(caught.value.__cause__)
        assert not network.nodes[0].core.circuits


async def test_a_draining_relay_extends_no_more() -> None:
    async with local_network(3) as network:
        network.nodes[1].core.draining = True
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await network.circuit()


@pytest.mark.parametrize("place", [0, 2])
async def test_a_shaped_run_reaches_its_bucket_end_first(place: int) -> None:
    """At the relay that passes it on as at the exit that makes it."""
    async with local_network(3) as network:
        plan = ShapePlan(ShapeClass.TEXT, 20, (32, 64))
        circuit = await network.circuit(plan=plan)
        core = network.nodes[place].core
        built = circuit.cells_down
        stream = circuit.open_stream(SESSION)
        await stream.send_all(b"question")
        with trio.fail_after(60):
            assert await stream.receive_some() == b"question"
            await stream.send_eof()
            assert await stream.receive_some() == b""
            await core.drain()
            await circuit.closed_event.wait()
        assert circuit.cells_down - built in (32, 64)
        assert "hibernating" in circuit.reason or place == 2
        assert not core.circuits


async def test_an_idle_relay_is_drained_at_once_and_a_quiet_one_soon() -> None:
    async with local_network(3) as network:
        core = network.nodes[1].core
        with trio.fail_after(60):
            await core.drain()
        core.draining = False
        circuit = await network.circuit()
        with trio.fail_after(60):
            await core.drain()
            await circuit.closed_event.wait()


async def test_when_time_is_up_circuits_end_whatever_they_do() -> None:
    """Every neighbour is told at once and the keys are gone."""
    async with local_network(3) as network:
        plan = ShapePlan(ShapeClass.ALWAYS_ON, 20, (32,))
        circuit = await network.circuit(plan=plan)
        await circuit.open_stream(SESSION).wait_connected()
        core = network.nodes[1].core
        (relayed,) = core.circuits.values()
        with trio.move_on_after(3 * QUIET_S) as scope:
            await core.drain()
        assert scope.cancelled_caught
        assert circuit.state is CircuitState.OPEN
        with trio.fail_after(60):
            await core.finish()
            await circuit.closed_event.wait()
            while network.nodes[2].core.circuits or network.nodes[0].core.circuits:
                await trio.sleep(0.01)
        body = memoryview(bytearray(2_024))
        with pytest.raises(LayerError):
            relayed.layer.open_forward_into(body, body)
