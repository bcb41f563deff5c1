"""Cover circuits: talks that nobody has, so that the real ones are not the only ones.

At random moments a circuit as long as one to a ghost is built to a random relay, with the text
class's shape, and lives through the runs of a conversation: opening, questions with time to think
between them, the farewell that settles. Both directions carry nothing but dummies. To the guard
and on its link that is the trace of a talk; the relay at the end alone can tell, for no stream is
opened.

What it does not imitate: the wallet's circuits beside a real talk, and the length of real answers
better than by a guess. It is off unless the user turns it on, and it never spends more than the
bytes an hour the user allows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random, SystemRandom

import trio

from engine.circuit.client import CircuitState, ClientCircuit
from engine.errors import CircuitClosed, NoRoute
from engine.log import say
from engine.log.events_client import CoverUnbuilt
from engine.log.words import Code
from engine.session.cover_settings import CoverSettings
from engine.session.pinned import SETTLE_IDLE_S
from engine.wire.cells import RECORD_BYTES
from engine.wire.shape import ShapePlan

HOUR_S = 3_600.0
DIRECTIONS = 2
BUILD_CELLS = 16  # about what building and closing a circuit takes, both ways
GO_ON = 0.6  # chance of a further question
THINK_S = 40.0  # mean time to read an answer and to write the next question
STEP_CHANCES = (0.7, 0.25, 0.05)  # an answer ends on the first, second, third step: a guess
HOLD_RANGE = (0.1, 0.85)  # where between two steps the pretended answer ends


@dataclass(frozen=True)
class CoverRun:
    """One run of a talk: how long before it, and the step of the ladder at which it ends."""

    pause_s: float
    step: int


def draw_talk(plan: ShapePlan, rng: Random) -> list[CoverRun]:
    """The runs of one talk: opening, at least one question, farewell."""
    runs = [CoverRun(0.0, 0)]
    while len(runs) == 1 or rng.random() < GO_ON:
        steps = range(min(len(plan.ladder), len(STEP_CHANCES)))
        step = rng.choices(steps, STEP_CHANCES[: len(steps)])[0]
        runs.append(CoverRun(rng.expovariate(1 / THINK_S), step))
    return [*runs, CoverRun(rng.uniform(SETTLE_IDLE_S, SETTLE_IDLE_S * 7 / 6), 0)]


def hold_s(plan: ShapePlan, step: int, rng: Random) -> float:
    """How long to pretend that an answer goes on, so that its run ends at `step`."""
    before = plan.ladder[step - 1] if step else 0
    return plan.tick_s * (before + rng.uniform(*HOLD_RANGE) * (plan.ladder[step] - before))


def run_bytes(plan: ShapePlan, step: int) -> int:
    """What a run that ends at `step` costs, both ways together."""
    return plan.ladder[step] * RECORD_BYTES * DIRECTIONS


class ByteBudget:
    """Bytes that may be spent: fills evenly, holds one hour's worth at most. Sans-IO."""

    def __init__(self, bytes_per_hour: int, now: float) -> None:
        self._limit = float(bytes_per_hour)
        self._left = float(bytes_per_hour)
        self._at = now

    def take(self, count: int, now: float) -> bool:
        """Spend `count` bytes if they are there."""
        filled = self._left + (now - self._at) * self._limit / HOUR_S
        self._left, self._at = min(self._limit, filled), now
        if count > self._left:
            return False
        self._left -= count
        return True


class CoverTraffic:
    """Has talks that nobody has, within a budget."""

    def __init__(
        self,
        settings: CoverSettings,
        plan: ShapePlan,
        build: Callable[[ShapePlan], Awaitable[ClientCircuit]],
        *,
        rng: Random | None = None,
    ) -> None:
        self.settings = settings
        self.talks = 0
        self.bytes_spent = 0
        self._plan = plan
        self._build = build
        self._rng = rng or SystemRandom()
        self._budget: ByteBudget | None = None

    async def run(self) -> None:
        """Begin talks at random (Poisson) moments until cancelled; at once over when off."""
        if not self.settings.enabled:
            return
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(self._rng.expovariate(self.settings.per_hour / HOUR_S))
                nursery.start_soon(self.talk)

    async def talk(self) -> None:
        """One talk, as far as the budget goes."""
        if not self._afford(BUILD_CELLS * RECORD_BYTES):
            return
        try:
            circuit = await self._build(self._plan)
        except (CircuitClosed, NoRoute) as error:
            say(CoverUnbuilt(Code.of(error)))
            return
        self.talks += 1
        for run in draw_talk(self._plan, self._rng):
            await trio.sleep(run.pause_s)
            lost = circuit.state is not CircuitState.OPEN
            if lost or not self._afford(run_bytes(self._plan, run.step)):
                break
            await self._play(circuit, run.step)
        await circuit.aclose()

    async def _play(self, circuit: ClientCircuit, step: int) -> None:
        circuit.endpoint.hold(1)
        circuit.go()
        await trio.sleep(hold_s(self._plan, step, self._rng))
        circuit.endpoint.hold(-1)
        await circuit.endpoint.wait_quiet()

    def _afford(self, count: int) -> bool:
        now = trio.current_time()
        if self._budget is None:
            self._budget = ByteBudget(self.settings.bytes_per_hour, now)
        if not self._budget.take(count, now):
            return False
        self.bytes_spent += count
        return True
