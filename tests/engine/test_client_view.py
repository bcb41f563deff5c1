"""What the user is shown of circuits and traffic: every number, its reason, nothing of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from engine.client_view import describe_circuits, describe_classes, describe_note
from engine.link_view import describe_links
from engine.wire.frames import Begin, Purpose, encode_begin
from engine.wire.shape import ShapeClass, ShapePlan
from tests.engine.circuit.test_pool import bench

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
PLAN = ShapePlan(ShapeClass.TEXT, 10, (16, 64))


async def test_a_circuit_from_opening_to_closing(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        circuit = await b.pool.build_to(b.ghost, "chat", PLAN)
        stream = circuit.open_stream(SESSION)
        await stream.send_all(b"hello")
        with trio.fail_after(60):
            assert await stream.receive_some() == b"hello"
            await circuit.endpoint.wait_quiet()

        (shown,) = describe_circuits(b.pool)
        assert (shown.purpose, shown.state, shown.shape_class) == ("chat", "open", "text")
        assert (shown.tick_ms, shown.running) == (10, False)
        assert shown.guard_age_s is not None
        assert shown.guard_age_s < 3_600
        assert shown.bytes_up == shown.cells_up * 2_048
        assert 0 < shown.dummies_up < shown.cells_up
        assert shown.padding_share is not None
        assert 0 < shown.padding_share < 1
        assert shown.why
        times = [hop.built_ms for hop in shown.hops]
        assert len(times) == len(circuit.path) >= 3
        assert all(time is not None and time > 0 for time in times)
        assert times[-1] == shown.rtt_ms
        assert {(hop.asn, hop.country) for hop in shown.hops} == {(None, "")}  # no table is set
        assert circuit.path[0].host not in shown.why

        (text,) = describe_classes(b.pool)
        assert (text.shape, text.circuits, text.cells_up) == ("text", 1, shown.cells_up)

        circuit.close("you asked for it")
        with trio.fail_after(60):
            while b.pool.circuits:
                await trio.sleep(0.01)
        (gone,) = describe_classes(b.pool)
        assert (gone.circuits, gone.cells_up) == (0, shown.cells_up + 1)  # the farewell
        note = describe_note(b.pool.notes[-1])
        assert (note.state, note.reason, note.purpose) == ("closed", "you asked for it", "chat")
        assert note.why == shown.why

        links = describe_links(b.network.client_links)
        assert links.links == 1
        assert links.records_out == gone.cells_up
