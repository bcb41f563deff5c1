"""What timing tells an attacker who holds both ends: `python -m bench.watermark [--json]`.

A dishonest ghost (or whoever watches its link) and a dishonest guard see the same cells at
different times. This measures how well they find each other's circuit among many, per class of
traffic shape:

- *passive*: both only look. The pair that belongs together is sought among N circuits that answer
  within the same minute, by the spread of (time at the guard - time at the ghost) over all cells.
- *watermark*: the ghost holds back cells in a secret pattern, by 5 to 50 ms; the guard looks for
  the pattern among circuits without it. 0 ms is the control: nothing to be found.

Times are virtual and everything comes from one seed. Cells leave by the real shaping clock
(engine.circuit.shaping); the provider's tokens, the network's delays and the slop of the ghost's
clock are models, with the parameters that are printed. Three links with 1 ms of jitter each are
kinder to the attacker than the internet.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from engine.circuit.shaping import Beat, ShapeClass, ShapePlan, Shaper

CLASSES = (ShapeClass.BULK, ShapeClass.TEXT, ShapeClass.ALWAYS_ON)
AMPLITUDES_MS = (5, 20, 50)
FALSE_POSITIVES = 0.01
TRIALS = 100  # circuits that are looked for, each among all


@dataclass(frozen=True)
class Model:
    """What is not our code: tokens, links, clocks. Times in seconds."""

    circuits: int = 500
    window: float = 60.0  # the answers begin within this time
    first_token: float = 0.6  # median of a log-normal
    token_gap: float = 0.02  # median of a log-normal
    tokens: int = 200  # median of a log-normal
    links: int = 3  # between the ghost and the guard's client-side eye
    link_delay: tuple[float, float] = (0.01, 0.06)  # constant per link, uniform
    jitter: float = 0.001  # mean of an exponential, per link and cell
    clock_slop: float = 0.0005  # deviation of the ghost's timer
    look: float = 30.0  # how long an always-on circuit is watched
    seed: int = 1


Times = list[float]
Array = NDArray[np.float64]


class World:
    """Circuits of one class, as both ends see them."""

    def __init__(self, model: Model, shape: ShapeClass) -> None:
        self.model = model
        self.rng = random.Random(f"{model.seed} {shape.label}")
        self._plan = ShapePlan(shape)

    def departures(self) -> Times:
        """When the cells of one answer leave the ghost."""
        begin = self.rng.uniform(0, self.model.window)
        if self._plan.shape_class is ShapeClass.BULK:
            return self._tokens(begin)
        tokens = self._tokens(begin)
        ticks = self._ticks(begin, tokens[-1])
        slop = self.model.clock_slop
        return in_order(at + abs(self.rng.gauss(0, slop)) for at in ticks)

    def _tokens(self, begin: float) -> Times:
        rng, model = self.rng, self.model
        at = begin + rng.lognormvariate(math.log(model.first_token), 0.5)
        times = [at]
        for _ in range(min(800, int(rng.lognormvariate(math.log(model.tokens), 0.6)))):
            at += rng.lognormvariate(math.log(model.token_gap), 0.7)
            times.append(at)
        return times

    def _ticks(self, begin: float, done: float) -> Times:
        """The ticks of the real clock, from the request to the end of the run."""
        always = self._plan.shape_class is ShapeClass.ALWAYS_ON
        shaper = Shaper(self._plan, leads=True)
        # An always-on circuit began long ago: all that is left of its begin is the phase.
        shaper.start(self.rng.uniform(0, self._plan.tick_s) if always else begin)
        times: Times = []
        while (due := shaper.next_tick_at) is not None:
            if always and due > self.model.look:
                break
            if shaper.tick(due, more=due < done) is not Beat.NONE:
                times.append(due)
        return times

    def arrivals(self, departures: Sequence[float]) -> Times:
        """When they come out at the guard: constant delay, jitter, order kept."""
        times = list(departures)
        for _ in range(self.model.links):
            delay = self.rng.uniform(*self.model.link_delay)
            jitter = self.model.jitter
            times = in_order(at + delay + self.rng.expovariate(1 / jitter) for at in times)
        return times

    def marked(self, departures: Sequence[float], pattern: Sequence[int], delay: float) -> Times:
        """The ghost holds every cell back whose place in the pattern is one."""
        held = zip(departures, pattern, strict=False)
        return in_order(at + delay * bit for at, bit in held)

    def pattern(self) -> list[int]:
        """A secret pattern of zeros and ones, longer than any answer."""
        return [self.rng.randrange(2) for _ in range(5_000)]


def in_order(times: Iterable[float]) -> Times:
    """Cells do not overtake each other."""
    return list(accumulate(times, max))


# -- the attackers -------------------------------------------------------------------------------


def passive_score(left: Array, came: Array, model: Model) -> float:
    """How well two observations fit: minus the spread of the delay in seconds, if it is one."""
    if len(left) != len(came):
        return -10.0
    delays = came - left
    low, high = (model.links * bound for bound in model.link_delay)
    if not low <= np.median(delays) <= high + 0.05:
        return -5.0
    return -float(delays.std())


def gaps_of(came: Sequence[float]) -> Array:
    """The gaps between cells around their median; a pause of the provider says nothing."""
    gaps = np.diff(np.array(came))
    steady: Array = np.clip(gaps - np.median(gaps), -0.1, 0.1)
    return steady


def mark_score(gaps: Array, pattern: Array) -> float:
    """Correlation of the gaps between cells with what the pattern would do to them."""
    wanted = np.diff(pattern[: len(gaps) + 1])
    norm = math.sqrt(float(gaps @ gaps) * float(wanted @ wanted))
    return float(gaps @ wanted) / norm if norm else 0.0


# -- the figures ---------------------------------------------------------------------------------


def auroc(true: Sequence[float], false: Sequence[float]) -> float:
    """The chance that a true score is above a false one; ties count half."""
    ranked = sorted([(score, 1) for score in true] + [(score, 0) for score in false])
    rank_sum, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        mean_rank = (at + 1 + end) / 2
        rank_sum += mean_rank * sum(kind for _, kind in ranked[at:end])
        at = end
    pairs = len(true) * len(false)
    return (rank_sum - len(true) * (len(true) + 1) / 2) / pairs


def figures(true: Sequence[float], false: Sequence[Sequence[float]]) -> dict[str, float]:
    """AUROC, hits at one false alarm in a hundred, and what is learnt of N candidates.

    `false[i]` are the scores of the wrong candidates beside the right one with score `true[i]`.
    """
    wrong = sorted((score for scores in false for score in scores), reverse=True)
    bar = wrong[int(FALSE_POSITIVES * len(wrong))]
    ranks = [
        1 + sum(s > right for s in scores) + sum(s == right for s in scores) / 2
        for right, scores in zip(true, false, strict=True)
    ]
    candidates = len(false[0]) + 1
    return {
        "auroc": round(auroc(true, wrong), 4),
        "true_positives_at_1_percent_false": round(sum(s > bar for s in true) / len(true), 4),
        "found_first": round(sum(rank < 1.5 for rank in ranks) / len(ranks), 4),
        # Twice the middle rank is how many candidates are left: all of them teach nothing.
        "bits": max(0.0, round(math.log2(candidates / (2 * statistics.median(ranks) - 1)), 2)),
        "bits_of": round(math.log2(candidates), 2),
    }


def passive(world: World) -> dict[str, float]:
    """The ghost's record of one circuit against the guard's records of all."""
    departures = [world.departures() for _ in range(world.model.circuits)]
    left = [np.array(times) for times in departures]
    came = [np.array(world.arrivals(times)) for times in departures]
    tried = min(len(left), TRIALS)
    scores = [[passive_score(left[i], other, world.model) for other in came] for i in range(tried)]
    true = [scores[i][i] for i in range(tried)]
    return figures(true, [row[:i] + row[i + 1 :] for i, row in enumerate(scores)])


def watermark(world: World, delay: float) -> dict[str, float]:
    """The guard looks for the pattern of one marked circuit among circuits without a mark."""
    plain = [gaps_of(world.arrivals(world.departures())) for _ in range(world.model.circuits)]
    true, false = [], []
    for _ in range(min(world.model.circuits, TRIALS)):
        pattern = world.pattern()
        came = world.arrivals(world.marked(world.departures(), pattern, delay))
        secret = np.array(pattern, dtype=float)
        true.append(mark_score(gaps_of(came), secret))
        false.append([mark_score(gaps, secret) for gaps in plain])
    return figures(true, false)


def measure(model: Model, say: Callable[[str], None]) -> dict[str, object]:
    """All figures of all classes."""
    found: dict[str, object] = {"model": asdict(model), "amplitudes_ms": AMPLITUDES_MS}
    for shape in CLASSES:
        say(f"{shape.label} ...")
        marks = {str(ms): watermark(World(model, shape), ms / 1_000) for ms in (0, *AMPLITUDES_MS)}
        found[shape.label] = {"passive": passive(World(model, shape)), "watermark_ms": marks}
    return found


def table(found: dict[str, object]) -> str:
    """The figures for people."""
    lines = [f"{'class':<10} {'attack':<16} {'AUROC':>6} {'hits at 1 %':>12} {'first':>6} bits"]
    for shape in CLASSES:
        part = found[shape.label]
        assert isinstance(part, dict)
        rows = {"passive": part["passive"]}
        rows |= {f"watermark {ms} ms": row for ms, row in part["watermark_ms"].items()}
        lines += [
            f"{shape.label:<10} {name:<16} {row['auroc']:>6.3f}"
            f" {row['true_positives_at_1_percent_false']:>12.2f} {row['found_first']:>6.2f}"
            f" {row['bits']:.1f} of {row['bits_of']:.1f}"
            for name, row in rows.items()
        ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.watermark", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--circuits", type=int, default=Model.circuits)
    parser.add_argument("--seed", type=int, default=Model.seed)
    options = parser.parse_args()
    model = Model(circuits=options.circuits, seed=options.seed)
    found = measure(model, (lambda _line: None) if options.json else print)
    print(json.dumps(found) if options.json else table(found))


if __name__ == "__main__":
    main()
