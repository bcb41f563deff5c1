"""Two circuit ends joined by a line with a delay, under virtual time, and what a tap on it sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from engine.circuit.endpoint import Endpoint
from engine.circuit.mux_events import Control
from engine.circuit.stream import CircuitStream
from engine.crypto.geometry import REGION_BYTES
from engine.errors import ProtocolError
from engine.wire.frames import FrameType
from engine.wire.shape import ShapeClass, ShapePlan, encode_shape, parse_shape

Serve = Callable[[CircuitStream], Awaitable[None]]


class Line:
    """One direction: an outlet that delivers after `delay_s`, and notes when each cell left."""

    def __init__(self, delay_s: float) -> None:
        self.left_at: list[float] = []
        self.broken = False
        self.has_room = True
        self._delay_s = delay_s
        self._send, self._receive = trio.open_memory_channel[tuple[float, bytes]](100_000)

    def send(self, region: bytes) -> None:
        now = trio.current_time()
        self.left_at.append(now)
        self._send.send_nowait((now + self._delay_s, region.ljust(REGION_BYTES, b"\0")))

    def flush(self) -> None:
        """Cells are on the line already."""

    async def wait_room(self) -> None:
        await trio.lowlevel.checkpoint()

    async def run(self, far_end: Endpoint) -> None:
        async for due, region in self._receive:
            await trio.sleep_until(due)
            if not self.broken:
                far_end.deliver(region)


class Joined:
    """A client's end and an exit's end of one circuit. `serve` is the exit's application."""

    def __init__(
        self, plan: ShapePlan, serve: Serve, nursery: trio.Nursery, *, delay_s: float = 0.031
    ) -> None:
        self.plan = plan
        self.up, self.down = Line(delay_s), Line(delay_s)
        self._nursery = nursery
        self._serve = serve
        self.client = Endpoint(self.up, initiator=True, on_control=self._agreed)
        self.exit = Endpoint(
            self.down, initiator=False, on_control=self._asked, on_stream=self._opened
        )

    def start(self) -> None:
        """Run both ends and the line; an always-on circuit starts at once."""
        self._nursery.start_soon(self.up.run, self.exit)
        self._nursery.start_soon(self.down.run, self.client)
        if self.plan.shape_class is not ShapeClass.BULK:
            self.client.set_plan(self.plan, agreed=False)
            self.client.mux.control(FrameType.SHAPE, encode_shape(self.plan))
        if self.plan.shape_class is ShapeClass.ALWAYS_ON:
            self.client.go()

    def start_pumps(self) -> None:
        """Let cells leave (after the first stream's request is queued, as in a real circuit)."""
        self._nursery.start_soon(self.client.run_pump)
        self._nursery.start_soon(self.exit.run_pump)

    def _agreed(self, event: Control) -> None:
        if event.frame.type is not FrameType.SHAPE or parse_shape(event.frame.data) != self.plan:
            raise ProtocolError("a frame came that nobody asked for")
        self.client.agreed = True

    def _asked(self, event: Control) -> None:
        if event.frame.type is not FrameType.SHAPE:
            raise ProtocolError("a frame that this hop does not take now")
        plan = parse_shape(event.frame.data)
        self.exit.set_plan(plan, agreed=True)
        self.exit.mux.control(FrameType.SHAPE, encode_shape(plan))

    def _opened(self, stream: CircuitStream, _request: bytes) -> None:
        stream.accept()
        self._nursery.start_soon(self._serve, stream)

    def trace(self) -> tuple[list[int], list[int]]:
        """Milliseconds at which cells left, (up, down)."""
        return (
            [round(at * 1000) for at in self.up.left_at],
            [round(at * 1000) for at in self.down.left_at],
        )
