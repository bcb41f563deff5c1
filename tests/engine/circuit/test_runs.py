"""Shaped runs of two joined ends in virtual time: what leaves when is a function of the start and
the bucket alone, whatever is asked, answered, paid, stalled or cancelled."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from itertools import pairwise

import pytest
import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.circuit.endpoint import SILENT_S
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed, ProtocolError
from engine.wire.frames import FrameType, RunState, encode_run, pack_frame
from engine.wire.shape import ShapeClass, ShapePlan, encode_shape
from tests.helpers.joined import Joined

TICK_MS, DELAY_MS = 125, 31
LADDER = (16, 64, 256)
TEXT = ShapePlan(ShapeClass.TEXT, TICK_MS, LADDER)
ALWAYS_ON = ShapePlan(ShapeClass.ALWAYS_ON, TICK_MS, LADDER)
END = b"\0end"
ASKED_AT_MS = 9_000  # when the run that opened the circuit is long over


@dataclass(frozen=True)
class Talk:
    """One question and answer: what the client sends when, what the provider writes when."""

    prompt_bytes: int
    payments: tuple[tuple[float, int], ...]  # (seconds after the one before, bytes)
    tokens: tuple[tuple[float, int], ...]  # (seconds after the one before, bytes)
    cancel_after_s: float | None = None


gaps = st.one_of(st.just(0.0), st.floats(0.001, 0.4), st.floats(0.4, 4.0))
talks = st.builds(
    Talk,
    prompt_bytes=st.integers(1, 60_000),
    payments=st.lists(st.tuples(gaps, st.integers(1, 3_000)), max_size=3).map(tuple),
    tokens=st.lists(st.tuples(gaps, st.integers(1, 9_000)), max_size=12).map(tuple),
    cancel_after_s=st.none() | st.floats(0.01, 5.0),
)


def play(plan: ShapePlan, talk: Talk, horizon_s: float) -> tuple[list[int], list[int]]:
    """The trace of one circuit: it opens, rests, and then one talk goes over it."""

    async def serve(stream: CircuitStream) -> None:
        prompt = b""
        while b"\3" not in prompt:  # a question is taken when it is whole
            prompt += await stream.receive_some()
        stream.set_busy(True)
        cancelled = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, stream, cancelled)
            with cancelled:
                for gap, size in talk.tokens:
                    await trio.sleep(gap)
                    await stream.send_all(bytes([1]) * size)
            stream.set_busy(False)
            await stream.send_all(END)

    async def watch(stream: CircuitStream, cancelled: trio.CancelScope) -> None:
        while b"\2" not in await stream.receive_some():
            pass
        cancelled.cancel()

    async def ask(stream: CircuitStream) -> None:
        await trio.sleep(ASKED_AT_MS / 1000)
        stream.set_busy(True)
        await stream.send_all(bytes([1]) * talk.prompt_bytes + b"\3")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pay, stream)
            with trio.move_on_after(talk.cancel_after_s or float("inf")) as patience:
                await read_to_end(stream)
            if patience.cancelled_caught:
                await stream.send_all(b"\2")
                await read_to_end(stream)
            nursery.cancel_scope.cancel()
        await stream.send_all(b"signed")
        stream.set_busy(False)

    async def pay(stream: CircuitStream) -> None:
        for gap, size in talk.payments:
            await trio.sleep(gap)
            await stream.send_all(bytes([1]) * size)

    async def read_to_end(stream: CircuitStream) -> None:
        seen = b""
        while END not in seen:
            seen += await stream.receive_some()

    async def main() -> tuple[list[int], list[int]]:
        async with trio.open_nursery() as nursery:
            joined = Joined(plan, serve, nursery, delay_s=DELAY_MS / 1000)
            joined.start()
            stream = joined.client.open_stream(b"\1")
            joined.start_pumps()
            nursery.start_soon(ask, stream)
            await trio.sleep(horizon_s)
            nursery.cancel_scope.cancel()
        return joined.trace()

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@settings(max_examples=40, deadline=None)
@given(talks)
@example(Talk(45_000, (), ((0.1, 9),)))
@example(Talk(10, ((1.9, 9),), ((1.0, 9), (1.0, 9))))
def test_text_tells_one_step_of_the_ladder_and_nothing_else(talk: Talk) -> None:
    up, down = play(TEXT, talk, horizon_s=120)
    opening = [TICK_MS * n for n in range(LADDER[0])]
    bucket = len(down) - len(opening)
    assert bucket in LADDER
    asked = [ASKED_AT_MS + TICK_MS * n for n in range(bucket)]
    assert up == opening + asked
    assert down == [DELAY_MS + at for at in up]


@settings(max_examples=20, deadline=None)
@given(talks)
def test_always_on_is_the_same_whatever_happens(talk: Talk) -> None:
    up, down = play(ALWAYS_ON, talk, horizon_s=40.01)
    assert up == list(range(0, 40_001, TICK_MS))
    assert down == list(range(DELAY_MS, 40_001, TICK_MS))


def test_bulk_tells_the_rhythm_of_the_answer() -> None:
    """The check can fail: the same talk unshaped shows when each token left."""
    bulk = ShapePlan(ShapeClass.BULK, 0, ())
    slow = Talk(10, (), ((0.5, 9), (0.25, 9), (1.0, 9)))
    _, down = play(bulk, slow, horizon_s=20)
    assert [b - a for a, b in pairwise(down[1:4])] == [250, 1_000]


def test_a_second_question_after_the_run_starts_another_run() -> None:
    async def serve(stream: CircuitStream) -> None:
        while question := await stream.receive_some():
            await stream.send_all(question)

    async def main() -> tuple[list[int], list[int]]:
        async with trio.open_nursery() as nursery:
            joined = Joined(TEXT, serve, nursery, delay_s=DELAY_MS / 1000)
            joined.start()
            stream = joined.client.open_stream(b"\1")
            joined.start_pumps()
            await stream.send_all(b"one")
            await trio.sleep(30)
            await stream.send_all(b"two")
            await trio.sleep(30)
            nursery.cancel_scope.cancel()
        return joined.trace()

    up, down = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    once = [TICK_MS * n for n in range(16)]
    assert up == [*once, *(30_000 + at for at in once)]
    assert down == [DELAY_MS + at for at in up]


def run_with(plan: ShapePlan, scene: str) -> Joined:
    """Ends over which a scene of misbehaviour is played; returns them afterwards."""

    async def serve(stream: CircuitStream) -> None:
        stream.set_busy(True)
        await trio.sleep_forever()

    async def main() -> Joined:
        async with trio.open_nursery() as nursery:
            joined = Joined(plan, serve, nursery)
            joined.start()
            joined.client.open_stream(b"\1")
            joined.start_pumps()
            await trio.sleep(1)
            getattr(joined, scene).broken = True
            await trio.sleep(SILENT_S + 1)
            nursery.cancel_scope.cancel()
        return joined

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("plan", [TEXT, ALWAYS_ON], ids=["text", "always-on"])
def test_an_end_that_hears_nothing_in_a_run_gives_up(plan: ShapePlan) -> None:
    assert run_with(plan, "down").client.silent
    assert run_with(plan, "up").exit.silent


def lone() -> Joined:
    """Ends that nobody runs: cells are handed in by the test."""

    async def main() -> Joined:
        async with trio.open_nursery() as nursery:
            return Joined(TEXT, nobody, nursery)

    return trio.run(main)


async def nobody(_stream: CircuitStream) -> None:
    raise AssertionError("no stream was meant to open")


SHAPE = pack_frame(FrameType.SHAPE, 0, encode_shape(TEXT))
BEGIN = pack_frame(FrameType.BEGIN, 1, b"\1")


def deliver(joined: Joined, *regions: bytes) -> None:
    async def main() -> None:
        for region in regions:
            joined.exit.deliver(region)

    trio.run(main)


@pytest.mark.parametrize(
    "regions",
    [
        (SHAPE, SHAPE),
        (pack_frame(FrameType.SHAPE, 0, encode_shape(ShapePlan(ShapeClass.BULK, 0, ()))), SHAPE),
        (pack_frame(FrameType.RUN, 0, encode_run(RunState.GO)),),
        (SHAPE, pack_frame(FrameType.RUN, 0, b"\2")),
    ],
    ids=["twice", "after bulk was agreed", "a run without a shape", "an unknown state"],
)
def test_the_exit_refuses(regions: tuple[bytes, ...]) -> None:
    with pytest.raises(ProtocolError):
        deliver(lone(), *regions)


def test_the_exit_refuses_a_shape_after_a_stream_was_opened() -> None:
    joined = lone()
    joined.exit._on_stream = lambda _stream, _request: None
    with pytest.raises(ProtocolError, match="before its first stream"):
        deliver(joined, BEGIN, SHAPE)


def test_the_client_refuses_an_exit_that_speaks_before_it_agreed() -> None:
    joined = lone()

    async def main() -> None:
        joined.client.set_plan(TEXT, agreed=False)
        joined.client.open_stream(b"\1")
        joined.client.deliver(pack_frame(FrameType.CONNECTED, 1))

    with pytest.raises(ProtocolError, match="before it agreed"):
        trio.run(main)


def test_a_closed_end_opens_no_stream() -> None:
    joined = lone()
    joined.client.close()
    with pytest.raises(CircuitClosed):
        joined.client.open_stream(b"\1")


frames_of_any_kind = st.one_of(
    st.builds(lambda state: pack_frame(FrameType.RUN, 0, bytes([state])), st.integers(0, 255)),
    st.builds(lambda data: pack_frame(FrameType.SHAPE, 0, data), st.binary(min_size=4, max_size=9)),
    st.builds(lambda name: pack_frame(FrameType.BEGIN, name, b"\1"), st.integers(1, 4)),
    st.builds(lambda name: pack_frame(FrameType.DATA, name, b"data"), st.integers(1, 4)),
    st.builds(lambda name: pack_frame(FrameType.END, name, b"\0"), st.integers(1, 4)),
    st.builds(lambda name: pack_frame(FrameType.CONNECTED, name), st.integers(1, 4)),
    st.sampled_from([SHAPE, BEGIN, pack_frame(FrameType.DROP, 0), SHAPE + BEGIN]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(frames_of_any_kind, max_size=12), st.booleans())
def test_any_frames_are_taken_or_refused_as_the_peers_fault(
    regions: list[bytes], at_client: bool
) -> None:
    joined = lone()
    joined.exit._on_stream = lambda _stream, _request: None

    async def main() -> None:
        end = joined.exit
        if at_client:
            end = joined.client
            end.set_plan(TEXT, agreed=False)
            end.open_stream(b"\1")
        for region in regions:
            end.deliver(region)

    with contextlib.suppress(ProtocolError):
        trio.run(main)
