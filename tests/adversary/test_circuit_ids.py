"""Circuit ids and commands on a link: what a neighbour gains by using those of others."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
import trio

from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.shaping import BULK_PLAN
from engine.crypto.hop import ClientHop
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed
from engine.link.connection import Link
from engine.wire.cells import BODY_BYTES, CELL_BYTES, HEADER, INITIATOR_BIT, Command
from engine.wire.create import create_body, created_body
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.adversaries import (
    MaliciousRelay,
    SeenCell,
    put_cell,
    put_raw,
    relay_at,
    stranger,
)
from tests.helpers.network import LocalNetwork, LocalNode, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
OURS = INITIATOR_BIT | 7_000  # an id that the side that dialled may choose
THEIRS = 7_000
UNKNOWN_COMMAND = 250


@asynccontextmanager
async def neighbour() -> AsyncIterator[tuple[LocalNetwork, ClientCircuit, Link]]:
    """A network with a client's circuit, and a stranger's link to its guard."""
    async with local_network(3) as network:
        circuit = await network.circuit()
        links = stranger(default_suite())
        await network.nursery.start(links.run)
        guard = network.nodes[0]
        link = await links.get(guard.identity.node_id, guard.host, guard.port)
        yield network, circuit, link


async def works(circuit: ClientCircuit) -> bool:
    """True when the circuit still carries bytes."""
    stream = circuit.open_stream(SESSION)
    with trio.fail_after(60):
        await stream.send_all(b"hello")
        return await stream.receive_some() == b"hello"


def create_for(node: LocalNode) -> bytes:
    """The body of a good CREATE for a node."""
    hop = node.hop("guard")
    return create_body(ClientHop.start(default_suite(), hop.node_id, hop.onion_key)[1])


def header(circ_id: int, command: int, reserved: bytes = bytes(3)) -> bytes:
    return circ_id.to_bytes(4, "big") + bytes([command]) + reserved + bytes(BODY_BYTES)


ENDS_THE_LINK: dict[str, Callable[[LocalNode], bytes]] = {
    "create with an id of the other half": lambda node: (
        HEADER.pack(THEIRS, Command.CREATE) + create_for(node)
    ),
    "create on the link itself": lambda node: HEADER.pack(0, Command.CREATE) + create_for(node),
    "relay on the link itself": lambda _: header(0, Command.RELAY),
    "destroy on the link itself": lambda _: header(0, Command.DESTROY),
    "padding on a circuit": lambda _: header(OURS, Command.PADDING),
    "a command that does not exist": lambda _: header(OURS, UNKNOWN_COMMAND),
    "reserved bytes in use": lambda _: header(OURS, Command.RELAY, b"\0\0\1"),
    "noise": lambda _: b"\xff" * 8 + os.urandom(CELL_BYTES - 8),
}


@pytest.mark.parametrize("what", ENDS_THE_LINK)
async def test_a_malformed_cell_ends_the_link_and_no_circuit_of_others(what: str) -> None:
    """Adversary: a neighbour with a link of its own. Pass: its link ends; a circuit of somebody
    else through the same relay carries on."""
    async with neighbour() as (network, circuit, link):
        put_raw(link, ENDS_THE_LINK[what](network.nodes[0]))
        with trio.fail_after(60):
            while not link.closed:
                await trio.sleep(0.01)
        assert await works(circuit)


async def test_guessing_the_ids_of_others_does_nothing() -> None:
    """Adversary: a neighbour that sends RELAY, CREATED and DESTROY for every id in use at the relay
    and some that are not. Pass: nothing is answered, no cell is counted, the circuits stay."""
    async with neighbour() as (network, circuit, link):
        guard = network.nodes[0]
        before = (guard.core.counters.cells_forward, guard.core.counters.cells_rejected)
        in_use = {c.prev_id for c in guard.core.circuits.values()}
        in_use |= {c.next_id for c in guard.core.circuits.values()}
        for circ_id in [*in_use, OURS, THEIRS, 1, INITIATOR_BIT | 1]:
            for command in (Command.RELAY, Command.CREATED, Command.DESTROY):
                put_cell(link, circ_id, command, os.urandom(BODY_BYTES))
        received = link.records_in
        assert await works(circuit)
        assert link.records_in == received
        assert not link.closed
        counters = guard.core.counters
        assert counters.cells_rejected == before[1]
        assert len(guard.core.circuits) == 1


async def test_an_id_that_is_in_use_cannot_be_taken_over() -> None:
    """Adversary: a neighbour that sends a second CREATE on the id of its own circuit. Pass: that
    circuit is destroyed, no second one takes its place, other circuits stay."""
    async with neighbour() as (network, circuit, link):
        guard = network.nodes[0]
        heard: list[int] = []
        link.routes[OURS] = lambda command, _body: heard.append(command)
        put_cell(link, OURS, Command.CREATE, create_for(guard))
        put_cell(link, OURS, Command.CREATE, create_for(guard))
        with trio.fail_after(60):
            while Command.DESTROY not in heard:
                await trio.sleep(0.01)
        assert len(guard.core.circuits) == 1
        assert await works(circuit)


@pytest.mark.parametrize("command", [Command.CREATE, Command.CREATED])
async def test_the_next_relay_may_not_create_where_it_was_asked(command: Command) -> None:
    """Adversary: the middle sends CREATE or a second CREATED up the circuit it was asked to carry.
    Pass: the guard ends the circuit, and the client's link and other circuits stay."""
    async with local_network(3, kinds={1: MaliciousRelay}) as network:
        victim, other = await network.circuit(), await network.circuit()
        middle = relay_at(network, 1)
        relayed = next(iter(middle.core.circuits.values()))
        body = created_body(os.urandom(1_152))
        put_cell(relayed.prev_link, relayed.prev_id, command, body)
        with trio.fail_after(60):
            await victim.closed_event.wait()
        assert await works(other)


async def test_cells_before_created_do_not_pass() -> None:
    """Adversary: the next relay sends layered cells before it has answered CREATE. Pass: building
    fails with an explanation and the client keeps nothing of the hop."""
    async with local_network(3, kinds={1: MaliciousRelay}) as network:
        middle = relay_at(network, 1)

        def chatter(cell: SeenCell) -> Iterable[SeenCell]:
            if cell.command == Command.CREATED:
                put_cell(cell.link, cell.circ_id, Command.RELAY, os.urandom(BODY_BYTES))
            return (cell,)

        middle.leaving = chatter
        circuit = ClientCircuit(network.path(), default_suite(), "test", BULK_PLAN)
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await circuit.build(network.client_links)
        assert circuit.state is CircuitState.CLOSED
