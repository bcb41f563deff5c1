"""A relay on the path replays, reorders, drops, invents and reflects cells, in both directions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.wire.cells import BODY_BYTES, Command, DestroyReason
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.adversaries import (
    MaliciousExit,
    MaliciousRelay,
    SeenCell,
    exit_at,
    put_cell,
    relay_at,
)
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
ANSWER = bytes(6_000)  # four cells

Attack = Callable[[list[SeenCell]], Iterable[SeenCell]]
"""From the cells seen so far, the last of them being due: what goes on the wire now."""


def replay(cells: list[SeenCell]) -> Iterable[SeenCell]:
    return (cells[-1], cells[-1]) if len(cells) == 1 else (cells[-1],)


def late_replay(cells: list[SeenCell]) -> Iterable[SeenCell]:
    return (cells[-1],) if len(cells) < 3 else (cells[-1], cells[0])


def reorder(cells: list[SeenCell]) -> Iterable[SeenCell]:
    if len(cells) == 1:
        return ()
    return (cells[1], cells[0]) if len(cells) == 2 else (cells[-1],)


def drop(cells: list[SeenCell]) -> Iterable[SeenCell]:
    return () if len(cells) == 1 else (cells[-1],)


def inject(cells: list[SeenCell]) -> Iterable[SeenCell]:
    if len(cells) > 1:
        return (cells[-1],)
    return (replace(cells[-1], body=os.urandom(BODY_BYTES)), cells[-1])


def replace_by_zeros(cells: list[SeenCell]) -> Iterable[SeenCell]:
    return (replace(cells[-1], body=bytes(BODY_BYTES)),)


ATTACKS = [replay, late_replay, reorder, drop, inject, replace_by_zeros]


class Tamperer:
    """Mounts one attack on the layered cells that leave a relay in one direction."""

    def __init__(self, attack: Attack, *, forward: bool) -> None:
        self.cells: list[SeenCell] = []
        self._attack = attack
        self._forward = forward

    def hook(self, cell: SeenCell) -> Iterable[SeenCell]:
        if not cell.layered or cell.forward != self._forward:
            return (cell,)
        self.cells.append(cell)
        return self._attack(self.cells)


async def answer(stream: CircuitStream, _request: bytes) -> None:
    """Four cells down for whatever comes up."""
    stream.accept()
    while await stream.receive_some():
        await stream.send_all(ANSWER)
    await stream.send_eof()


async def is_cut(circuit: ClientCircuit) -> None:
    """Use the circuit until it closes; the stream must say that it was cut."""
    with trio.fail_after(60):
        with pytest.raises(CircuitClosed):
            await ask(circuit)
        await circuit.closed_event.wait()


async def ask(circuit: ClientCircuit) -> None:
    """Send four cells and read to the end mark."""
    stream = circuit.open_stream(SESSION)
    await stream.send_all(ANSWER)
    while await stream.receive_some():
        pass


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_forward_cells_die_at_the_next_hop(attack: Attack, place: int) -> None:
    """Adversary: guard or middle. Pass: the next honest hop rejects exactly one cell and passes on
    nothing after it, the circuit is gone at every hop, the stream says that it was cut."""
    async with local_network(
        3, {Purpose.SESSION: answer}, kinds={place: MaliciousRelay, 2: MaliciousExit}
    ) as network:
        circuit = await network.circuit()
        relay, exit_ = relay_at(network, place), exit_at(network)
        honest = network.nodes[place + 1].core.counters
        before = honest.cells_forward
        tamperer = Tamperer(attack, forward=True)
        relay.leaving = tamperer.hook
        exit_.seen.clear()
        await is_cut(circuit)
        assert honest.cells_rejected == 1
        if place == 0:
            passed = honest.cells_forward - before
            assert len(exit_.layered(forward=True, incoming=True)) <= passed
            assert passed < len(tamperer.cells)
        with trio.fail_after(60):
            while any(node.core.circuits for node in network.nodes):
                await trio.sleep(0.01)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_backward_cells_die_at_the_client(attack: Attack, place: int) -> None:
    """Adversary: guard, middle or the exit behind its own seal. Pass: the client notices at the
    first cell that is wrong, erases its keys and counts it as tampering; the stream is cut."""
    async with local_network(
        3, {Purpose.SESSION: answer}, kinds={place: MaliciousRelay}
    ) as network:
        circuit = await network.circuit()
        relay_at(network, place).leaving = Tamperer(attack, forward=False).hook
        await is_cut(circuit)
        assert circuit.tampered


@pytest.mark.parametrize("forward", [True, False])
async def test_reflected_cells_open_for_nobody(forward: bool) -> None:
    """Adversary: the middle sends cells back where they came from. Pass: whoever gets one ends the
    circuit; nothing of it reaches a stream."""
    async with local_network(3, {Purpose.SESSION: answer}, kinds={1: MaliciousRelay}) as network:
        circuit = await network.circuit()
        middle = relay_at(network, 1)

        def reflect(cell: SeenCell) -> Iterable[SeenCell]:
            if cell.layered and cell.forward == forward:
                put_cell(cell.link, cell.circ_id, Command.RELAY, cell.body)
                return ()
            return (cell,)

        middle.arriving = reflect
        await is_cut(circuit)
        assert circuit.tampered == forward


async def test_cells_of_one_circuit_do_not_open_on_another() -> None:
    """Adversary: the guard puts the cells of one circuit on another of the same client. Pass: the
    other dies at the next hop and nothing comes out of it, so a relay cannot join circuits."""
    async with local_network(3, {Purpose.SESSION: answer}, kinds={0: MaliciousRelay}) as network:
        one, other = await network.circuit(), await network.circuit()
        guard = relay_at(network, 0)
        ids = sorted({c.circ_id for c in guard.seen if not c.incoming and c.forward})
        swapped = dict(zip(ids, reversed(ids), strict=True))

        def swap(cell: SeenCell) -> Iterable[SeenCell]:
            if cell.layered and cell.forward:
                return (replace(cell, circ_id=swapped[cell.circ_id]),)
            return (cell,)

        guard.leaving = swap
        one.open_stream(SESSION)
        with trio.fail_after(60):
            await other.closed_event.wait()
        assert network.nodes[1].core.counters.cells_rejected == 1
        assert all(circuit.endpoint is None for circuit in network.nodes[2].core.circuits.values())


async def seen_by_the_client(network: LocalNetwork, reason: DestroyReason) -> str:
    """What a circuit says of its end when the exit destroys it for `reason`."""
    circuit = await network.circuit()
    exit_ = exit_at(network)
    relayed = exit_.circuit
    put_cell(relayed.prev_link, relayed.prev_id, Command.DESTROY, bytes([reason]) + b"hello guard")
    relayed.destroy(reason, tell_prev=False)
    with trio.fail_after(60):
        await circuit.closed_event.wait()
    return circuit.reason


async def test_a_destroy_carries_one_bit_and_no_reason() -> None:
    """Adversary: an exit that spells a message to the guard in DESTROY reasons and the bytes behind
    them. Pass: for every reason the guard receives the same cell, apart from its circuit id."""
    async with local_network(3, kinds={0: MaliciousRelay, 2: MaliciousExit}) as network:
        reasons = {await seen_by_the_client(network, reason) for reason in DestroyReason}
        at_guard = {
            cell.body
            for cell in relay_at(network, 0).seen
            if cell.command == Command.DESTROY and cell.incoming and not cell.forward
        }
        assert at_guard == {bytes(BODY_BYTES)}
        assert len(reasons) == 1


async def test_a_destroy_from_the_guard_tells_the_exit_nothing() -> None:
    """Adversary: a guard that writes a message into the DESTROY it sends to the exit. Pass: the
    exit receives an empty one."""
    async with local_network(3, kinds={0: MaliciousRelay, 2: MaliciousExit}) as network:
        await network.circuit()
        relayed = relay_at(network, 0).circuit
        exit_ = exit_at(network)
        assert relayed.next_link is not None
        put_cell(relayed.next_link, relayed.next_id, Command.DESTROY, b"\x0b hello exit")
        with trio.fail_after(60):
            while exit_.core.circuits:
                await trio.sleep(0.01)
        (cell,) = [c for c in exit_.seen if c.command == Command.DESTROY and c.incoming]
        assert cell.body == bytes(BODY_BYTES)
