"""Somebody on the wire between a client and its guard reads sizes and times and guesses the answer.

The adversary sees every record in both directions with its time, and has learned from answers of
each kind. On bulk it wins, which shows that it can; on text and always-on it is left with guessing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
import trio
import trio.testing

from engine.circuit.client import ClientCircuit
from engine.circuit.stream import CircuitStream
from engine.crypto.suite import default_suite
from engine.wire.cells import RECORD_BYTES
from engine.wire.frames import Begin, Purpose, encode_begin
from engine.wire.shape import BULK_PLAN, ShapeClass, ShapePlan
from tests.helpers.joined import Joined
from tests.helpers.network import local_network
from tests.helpers.tap import Tap

SESSION = encode_begin(Begin(Purpose.SESSION))
TEXT = ShapePlan(ShapeClass.TEXT, 125, (64, 256))
ALWAYS_ON = ShapePlan(ShapeClass.ALWAYS_ON, 125, (64,))
NOISE_S = 0.004  # what the network adds to the time of a record
ANSWERS = 24  # of each kind, half of them to learn from

Rhythm = Callable[[Random], list[tuple[float, int]]]
"""Draws one answer: (seconds of silence, bytes) for each token."""


def prose(rng: Random) -> list[tuple[float, int]]:
    """Thinks for a while, then speaks slowly."""
    return [(1.2, 6), *((rng.uniform(0.08, 0.16), rng.randint(2, 9)) for _ in range(25))]


def code(rng: Random) -> list[tuple[float, int]]:
    """Begins at once and comes in bursts."""
    return [(0.3, 4), *((rng.choice((0.02, 0.5)), rng.randint(1, 60)) for _ in range(14))]


@dataclass
class WireWatcher:
    """Learns what answers of each kind look like on the wire, then tells which one it sees."""

    rng: Random
    seen: dict[str, list[list[float]]] = field(default_factory=dict)

    def watch(self, up: list[float], down: list[float]) -> list[float]:
        """Everything that times and counts can say of one answer."""
        times = sorted(at + self.rng.uniform(0, NOISE_S) for at in down)
        gaps = [later - sooner for sooner, later in pairwise(times)] or [0.0]
        return [
            len(up),
            len(down),
            times[-1] - up[0],
            times[min(2, len(times) - 1)] - up[0],
            statistics.mean(gaps),
            statistics.pstdev(gaps),
            max(gaps),
        ]

    def learn(self, kind: str, features: list[float]) -> None:
        self.seen.setdefault(kind, []).append(features)

    def guess(self, features: list[float]) -> str:
        """The kind whose answers lie nearest, each feature in units of its own spread."""
        spread = [
            statistics.pstdev(column) or 1.0
            for column in zip(*(f for known in self.seen.values() for f in known), strict=True)
        ]

        def distance(kind: str) -> float:
            centre = [statistics.mean(column) for column in zip(*self.seen[kind], strict=True)]
            parts = zip(features, centre, spread, strict=True)
            return sum(((a - b) / s) ** 2 for a, b, s in parts)

        return min(self.seen, key=distance)


def one_answer(plan: ShapePlan, tokens: list[tuple[float, int]]) -> tuple[list[float], list[float]]:
    """Times at which cells of one question and its answer left, (up, down), in virtual time."""

    async def serve(stream: CircuitStream) -> None:
        await stream.receive_some()
        stream.set_busy(True)
        for silence, size in tokens:
            await trio.sleep(silence)
            await stream.send_all(bytes([1]) * size)
        stream.set_busy(False)
        await stream.send_all(b"\0")

    async def main() -> tuple[list[float], list[float]]:
        async with trio.open_nursery() as nursery:
            joined = Joined(plan, serve, nursery)
            joined.start()
            stream = joined.client.open_stream(b"\1")
            joined.start_pumps()
            stream.set_busy(True)
            await stream.send_all(b"question")
            while b"\0" not in await stream.receive_some():
                pass
            stream.set_busy(False)
            await trio.sleep(12.01 - trio.current_time())
            nursery.cancel_scope.cancel()
        return joined.up.left_at, joined.down.left_at

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def hit_rate(plan: ShapePlan) -> float:
    """How often the watcher names the kind of an answer it has not seen before."""
    rng = Random(7)
    watcher = WireWatcher(rng)
    kinds: dict[str, Rhythm] = {"prose": prose, "code": code}
    exam: list[tuple[str, list[float]]] = []
    for kind, rhythm in kinds.items():
        for number in range(ANSWERS):
            features = watcher.watch(*one_answer(plan, rhythm(rng)))
            if number % 2:
                exam.append((kind, features))
            else:
                watcher.learn(kind, features)
    return statistics.mean(watcher.guess(features) == kind for kind, features in exam)


def test_the_watcher_tells_kinds_of_answers_apart_on_bulk() -> None:
    """Criterion: at least 95 of 100 right: bulk leaks, and the watcher is worth its name."""
    assert hit_rate(BULK_PLAN) >= 0.95


@pytest.mark.parametrize("plan", [TEXT, ALWAYS_ON], ids=["text", "always-on"])
def test_the_watcher_is_left_with_guessing_on_shaped_circuits(plan: ShapePlan) -> None:
    """Criterion: right no more often than chance allows (half, within two deviations)."""
    assert abs(hit_rate(plan) - 0.5) <= 2 * (0.25 / ANSWERS) ** 0.5


@pytest.mark.parametrize("plan", [TEXT, ALWAYS_ON], ids=["text", "always-on"])
def test_two_different_answers_leave_the_same_records(plan: ShapePlan) -> None:
    """Criterion: the times of all records of both directions are equal to the microsecond."""
    first, second = (one_answer(plan, rhythm(Random(3))) for rhythm in (prose, code))
    for one, other in zip(first, second, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


FAST = {
    "text": ShapePlan(ShapeClass.TEXT, 20, (32,)),
    "always-on": ShapePlan(ShapeClass.ALWAYS_ON, 20, (32,)),
    "bulk": BULK_PLAN,
}


async def on_real_links(plan: ShapePlan, tokens: int, cells: int) -> tuple[Tap, int]:
    """Ask over real links; the tap, and the records down until `cells` went up (or a rest)."""

    async def answer(stream: CircuitStream, _request: bytes) -> None:
        stream.accept()
        stream.set_busy(True)
        await stream.receive_some()
        for _ in range(tokens):
            await trio.sleep(0.004)
            await stream.send_all(b"token")
        stream.set_busy(False)
        await stream.send_all(b"\0")

    async with local_network(handlers={Purpose.SESSION: answer}) as network:
        tap = Tap()
        guard = network.nodes[0]
        await network.nursery.start(tap.run, guard.host, guard.port)
        path = tap.in_front_of(network.path())
        circuit = ClientCircuit(path, default_suite(), "test", plan)
        with trio.fail_after(60):
            await circuit.build(network.client_links)
            network.nursery.start_soon(circuit.run)
            up, down = circuit.cells_up, tap.counts()[1]
            stream = circuit.open_stream(SESSION)
            stream.set_busy(True)
            await stream.send_all(b"question")
            while b"\0" not in await stream.receive_some():
                pass
            stream.set_busy(False)
            if plan.always_on:
                while circuit.cells_up - up < cells:
                    await trio.sleep(0.01)
            else:
                await circuit.endpoint.wait_quiet()
        return tap, (tap.counts()[1] - down) // RECORD_BYTES


@pytest.mark.trio
@pytest.mark.parametrize("name", FAST)
async def test_every_write_on_the_wire_is_whole_records(name: str) -> None:
    """Criterion: what the tap reads adds up to whole records in both directions, whatever the
    shape; a kernel may cut a write in two, so sums are looked at."""
    tap, _ = await on_real_links(FAST[name], tokens=9, cells=40)
    assert all(total % RECORD_BYTES == 0 for total in tap.counts())
    assert any(size % RECORD_BYTES == 0 for _, size in [*tap.up, *tap.down])


@pytest.mark.trio
async def test_the_number_of_tokens_shows_on_bulk_alone() -> None:
    """Criterion: three times the tokens is more records on bulk; on text the same number; on
    always-on as many down as up, a fifth more or less for ticks that a busy machine missed."""
    few, many = [(await on_real_links(FAST["bulk"], n, 0))[1] for n in (10, 30)]
    assert many > few + 10
    assert {(await on_real_links(FAST["text"], n, 0))[1] for n in (3, 30)} == {32}
    for tokens in (3, 60):
        _, down = await on_real_links(FAST["always-on"], tokens, cells=60)
        assert down == pytest.approx(60, abs=12)
