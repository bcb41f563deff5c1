"""Tagging: a guard and an exit that work together mark cells, an honest middle is between them.

A thousand marked cells in each direction, each on a circuit of its own, over real links.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
import trio

from engine.circuit.client import CircuitState
from engine.errors import CircuitClosed
from engine.wire.cells import BODY_BYTES
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.adversaries import MaliciousExit, MaliciousRelay, SeenCell, exit_at, relay_at
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
CELLS = 1_000
AT_ONCE = 20


class Tagger:
    """Flips one random bit in each cell of one direction once it is armed; knows what it marked."""

    def __init__(self, *, forward: bool) -> None:
        self.armed = False
        self.marked: dict[tuple[object, int], SeenCell] = {}
        self._forward = forward
        self._rng = random.Random(11)

    def hook(self, cell: SeenCell) -> Iterable[SeenCell]:
        key = (cell.link, cell.circ_id)
        if not (self.armed and cell.layered and cell.forward == self._forward):
            return (cell,)
        if key in self.marked:
            return (cell,)
        self.marked[key] = cell.flipped(self._rng.randrange(BODY_BYTES), self._rng.randrange(8))
        return (self.marked[key],)


def blocks(body: bytes) -> set[bytes]:
    """The 16-byte blocks of a cell."""
    return {body[at : at + 16] for at in range(0, BODY_BYTES - 15, 16)}


def recognised(received: list[SeenCell], tagger: Tagger) -> int:
    """How many received cells share a block with a marked one."""
    sent = set().union(*(blocks(cell.body) for cell in tagger.marked.values()))
    return sum(1 for cell in received if blocks(cell.body) & sent)


async def one_after_the_other(
    network: LocalNetwork, tagger: Tagger, count: int = CELLS
) -> list[str]:
    """`count` circuits through the network; one cell of each is marked. Why each of them closed."""
    reasons: list[str] = []
    for _ in range(count // AT_ONCE):
        tagger.armed = False
        circuits = [await network.circuit() for _ in range(AT_ONCE)]
        tagger.armed = True
        for circuit in circuits:
            stream = circuit.open_stream(SESSION)
            with pytest.raises(CircuitClosed):
                await stream.wait_connected()
            await circuit.closed_event.wait()
            reasons.append(circuit.reason)
        assert all(circuit.state is CircuitState.CLOSED for circuit in circuits)
    return reasons


async def test_a_thousand_cells_marked_by_the_guard_reach_no_exit() -> None:
    """Forward. Adversary: guard marks, exit looks. Pass: the exit receives none of 1,000 marked
    cells, nor any other cell of those circuits; the honest middle ends every one of them."""
    kinds = {0: MaliciousRelay, 2: MaliciousExit}
    async with local_network(3, kinds=kinds) as network:
        guard, middle, exit_ = relay_at(network, 0), network.nodes[1], exit_at(network)
        guard.keeps = False
        tagger = Tagger(forward=True)
        guard.leaving = tagger.hook
        with trio.fail_after(60):
            await one_after_the_other(network, tagger)
        assert len(tagger.marked) == CELLS
        assert middle.core.counters.cells_rejected == CELLS
        assert exit_.layered(forward=True, incoming=True) == []


async def test_a_thousand_cells_marked_by_the_exit_are_not_recognised_by_the_guard() -> None:
    """Backward. Adversary: the exit flips a bit of a cell it sealed, the guard sees every cell and
    knows every marked one. Pass: no cell at the guard has a marked cell, its mark or any 16 bytes
    of it in it, and the client notices 1,000 of 1,000."""
    kinds = {0: MaliciousRelay, 2: MaliciousExit}
    async with local_network(3, kinds=kinds) as network:
        guard, exit_ = relay_at(network, 0), exit_at(network)
        exit_.keeps = False
        tagger = Tagger(forward=False)
        exit_.leaving = tagger.hook
        with trio.fail_after(60):
            reasons = await one_after_the_other(network, tagger)
        assert len(tagger.marked) == CELLS
        assert set(reasons) == {"a relay on the path tampered with a cell"}
        received = guard.layered(forward=False, incoming=True)
        assert len(received) >= CELLS
        assert recognised(received, tagger) == 0


async def test_without_an_honest_hop_between_them_the_mark_is_seen() -> None:
    """The control: guard and exit are neighbours. Pass: every marked cell is recognised, so the
    test above would have seen it."""
    async with local_network(2, kinds={0: MaliciousRelay, 1: MaliciousExit}) as network:
        guard, exit_ = relay_at(network, 0), exit_at(network)
        tagger = Tagger(forward=False)
        exit_.leaving = tagger.hook
        with trio.fail_after(60):
            await one_after_the_other(network, tagger, count=AT_ONCE)
        assert recognised(guard.layered(forward=False, incoming=True), tagger) == AT_ONCE
