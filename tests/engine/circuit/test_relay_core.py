"""The relay core's upkeep: a loop that is late, a queue that is full, what it tells of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from engine.circuit.relay_core import UPKEEP_EVERY_S, RelayCore
from engine.wire.cells import RECORD_BYTES
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import LocalNode, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))


@asynccontextmanager
async def running() -> AsyncIterator[RelayCore]:
    core = LocalNode("127.1.0.1", {}).core
    async with trio.open_nursery() as nursery:
        await nursery.start(core.run)
        await wait_all_tasks_blocked()
        yield core
        nursery.cancel_scope.cancel()


async def test_a_loop_that_is_late_makes_new_circuits_dear(mock_clock: MockClock) -> None:
    async with running() as core:
        mock_clock.jump(UPKEEP_EVERY_S)
        await wait_all_tasks_blocked()
        assert core.work_bits == 0
        mock_clock.jump(UPKEEP_EVERY_S + 1)  # a second late
        await wait_all_tasks_blocked()
        assert core.work_bits == core.limits.work_bits
        for _ in range(60):
            mock_clock.jump(UPKEEP_EVERY_S)
            await wait_all_tasks_blocked()
        assert core.work_bits == 0


async def test_a_queue_that_fills_makes_them_dear_too(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running() as core:
        monkeypatch.setattr(type(core._queue), "pressed", property(lambda _queue: True))
        for _ in range(4):
            mock_clock.jump(UPKEEP_EVERY_S)
            await wait_all_tasks_blocked()
        assert core.work_bits == core.limits.work_bits + 3


async def test_bytes_are_counted_by_role_and_outlive_their_circuits() -> None:
    async with local_network(3) as network:
        circuit = await network.circuit()
        stream = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            await stream.send_all(bytes(100_000))
            got = 0
            while got < 100_000:
                got += len(await stream.receive_some())
        middle, last = network.nodes[1].core, network.nodes[2].core
        assert middle.relayed_bytes >= 2 * 100_000
        served = last.served_bytes
        assert served >= 2 * 100_000
        assert last.relayed_bytes == 0
        assert middle.served_bytes % RECORD_BYTES == 0
        circuit.close("done")
        with trio.fail_after(60):
            while last.circuits:
                await trio.sleep(0.01)
        assert last.served_bytes >= served
