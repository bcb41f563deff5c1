"""Marks and marked cells cost the guard: what the pool of a client makes of each attempt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import trio
import trio.testing

from engine.circuit.shaping import BULK_PLAN
from engine.directory.guards import USE
from engine.errors import CircuitClosed
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.adversaries import MaliciousRelay, SeenCell, relay_at
from tests.helpers.client_pool import bench

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
CIRCUITS = 5


@pytest.mark.parametrize("forward", [True, False])
async def test_every_tagged_circuit_is_counted_against_the_guard(
    tmp_path: Path, forward: bool
) -> None:
    """Adversary: a guard that marks a cell of each circuit in use, forward (the next hop notices)
    or backward (the client does). Pass: each of the circuits counts as failed in use in the
    guard's tally, none as good, so that path bias drops a guard that goes on."""
    async with bench(tmp_path, kinds={0: MaliciousRelay}, first_guard=0) as b:
        guard = relay_at(b.network, 0)

        def mark(cell: SeenCell) -> Iterable[SeenCell]:
            tag = cell.layered and cell.forward == forward
            return (cell.flipped(1_000) if tag else cell,)

        for _ in range(CIRCUITS):
            circuit = await b.pool.build_to(b.ghost, "chat", BULK_PLAN)
            guard.leaving = mark
            stream = circuit.open_stream(SESSION)
            with trio.fail_after(60):
                with pytest.raises(CircuitClosed):
                    await stream.wait_connected()
                await circuit.closed_event.wait()
            guard.leaving = lambda cell: (cell,)
        await trio.testing.wait_all_tasks_blocked()
        entry = b.pool.guards.sample[0]
        assert entry.node_id == guard.identity.node_id.hex()
        assert entry.total(USE).tried == CIRCUITS
        assert entry.total(USE).good == 0
