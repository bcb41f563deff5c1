"""Adversarial sessions with the program's own meter, wallets and stores: who can lose how much?

    python -m bench.market --sessions 10000 --json [--jobs 2] [--seed 1]
    python -m bench.market --replay SEED          one world again, with what was wrong in it

Each world (a seed) has two mints, two ghosts and a few clients; its sessions are honest, or one
side cheats, while circuits are cut inside any byte, processes die and mints fail. At the end every
book is held against every other.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock

from bench.market_books import Verdict, audit
from bench.market_case import Case
from bench.market_road import repeatable
from bench.market_world import AS_DRAWN, CHUNK_MSAT, Setting, World

LANES = 3
PER_LANE = 12
PER_WORLD = LANES * PER_LANE
LONGEST_S = 200_000.0
MEMORY = Path("/dev/shm")


@dataclass
class Report:
    """What `--json` prints; losses are in chunks."""

    sessions: int = 0
    max_loss_chunks_client: float = 0.0
    max_loss_chunks_ghost: float = 0.0
    unaccounted_msat: int = 0
    stuck: int = 0
    internal_errors: int = 0
    max_loss_chunks_ghost_session: float = 0.0
    max_rebate_chunks: float = 0.0
    answers: int = 0
    payments: int = 0
    cuts: int = 0
    seconds: float = 0.0
    violating_seeds: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tricks: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, seed: int, sessions: int, verdict: Verdict, faults: Sequence[str]) -> None:
        self.sessions += sessions
        chunk = float(CHUNK_MSAT)
        self.max_loss_chunks_client = max(self.max_loss_chunks_client, verdict.loss_client / chunk)
        self.max_loss_chunks_ghost = max(self.max_loss_chunks_ghost, verdict.loss_ghost / chunk)
        self.max_loss_chunks_ghost_session = max(
            self.max_loss_chunks_ghost_session, verdict.loss_ghost_session / chunk
        )
        self.max_rebate_chunks = max(self.max_rebate_chunks, verdict.rebate / chunk)
        self.unaccounted_msat += verdict.unaccounted
        self.stuck += verdict.stuck
        self.internal_errors += len(faults)
        self.answers += verdict.answers
        self.payments += verdict.payments
        self.cuts += verdict.cuts
        self.tricks += verdict.tricks
        self.errors += verdict.errors
        notes = [*verdict.notes, *faults]
        if notes:
            self.violating_seeds.append(seed)
            self.notes += [f"seed {seed}: {note}" for note in notes]

    @property
    def good(self) -> bool:
        return (
            max(self.max_loss_chunks_client, self.max_loss_chunks_ghost) <= 1
            and self.unaccounted_msat == self.stuck == self.internal_errors == 0
        )


class Faults(logging.Handler):
    """The ghosts' own faults: a peer must not be able to cause any."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def run_world(
    seed: int, per_lane: int = PER_LANE, setting: Setting = AS_DRAWN
) -> tuple[int, Verdict, list[str]]:
    """One world from its seed: (sessions, verdict, internal faults)."""
    faults, logger = Faults(), logging.getLogger("peer2prompt")
    logger.addHandler(faults)
    home = tempfile.mkdtemp(prefix="p2p-market-", dir=MEMORY if MEMORY.is_dir() else None)
    try:
        with repeatable(seed):
            clock = MockClock(autojump_threshold=0)
            verdict = trio.run(_world, seed, Path(home), per_lane, setting, clock=clock)
    finally:
        logger.removeHandler(faults)
        shutil.rmtree(home, ignore_errors=True)
    return LANES * per_lane, verdict, faults.lines


async def _world(seed: int, home: Path, per_lane: int, setting: Setting) -> Verdict:
    with trio.fail_after(LONGEST_S):
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            world = World(seed, home, nursery, LANES, setting)
            await world.open(stack)
            cases: list[Case] = []
            async with trio.open_nursery() as lanes:
                for lane in range(LANES):
                    lanes.start_soon(_lane, world, lane, per_lane, cases)
            await _afterwards(world, cases)
            verdict = await audit(world, cases)
            nursery.cancel_scope.cancel()
    return verdict


async def _lane(world: World, lane: int, count: int, cases: list[Case]) -> None:
    """One client's sessions, one after the other."""
    client = world.clients[lane]
    for index in range(count):
        host = world.rng.choice(world.hosts)
        case = Case(lane * count + index, world, client, host, world.fork(), host.crashes)
        cases.append(case)
        await case.run()
        await client.wallet.recover()


async def _afterwards(world: World, cases: list[Case]) -> None:
    """The sky clears, the ghosts bill who went away, clients come back for their credit."""
    await world.clear_up()
    for case in cases:
        await case.come_back()
    await world.clear_up()
    await world.settle_down()


def _shard(work: tuple[int, int]) -> tuple[int, tuple[int, Verdict, list[str]]]:
    seed, per_lane = work
    return seed, run_world(seed, per_lane)


def simulate(
    sessions: int,
    seed: int,
    jobs: int,
    tell: Callable[[str], None],
    stop_after_s: float = float("inf"),
) -> Report:
    """At least `sessions` sessions in as many worlds as that takes."""
    report, started = Report(), time.monotonic()
    per_lane = min(PER_LANE, -(-sessions // LANES))
    worlds = -(-sessions // (LANES * per_lane))
    work = [(seed + index, per_lane) for index in range(worlds)]
    for found, (count, verdict, faults) in _results(work, jobs):
        report.add(found, count, verdict, faults)
        for note in [*verdict.notes, *faults]:
            tell(f"seed {found}: {note}")
        if report.sessions % 1_000 < count:
            tell(f"{report.sessions} sessions, {len(report.violating_seeds)} worlds with notes")
        if time.monotonic() - started > stop_after_s:
            break
    report.seconds = time.monotonic() - started
    return report


def _results(work: Sequence[tuple[int, int]], jobs: int) -> Iterator[Any]:
    if jobs == 1:
        yield from map(_shard, work)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=20) as pool:
        yield from pool.imap_unordered(_shard, work)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.market", description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000, help="at least so many (10000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first world (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--replay", type=int, metavar="SEED", help="one world again")
    parser.add_argument("--per-lane", type=int, default=PER_LANE, help="with --replay")
    parser.add_argument("--limit-s", type=float, default=float("inf"), help="end after so long")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if args.replay is not None:
        report = Report()
        report.add(args.replay, *run_world(args.replay, args.per_lane))
    else:
        report = simulate(args.sessions, args.seed, args.jobs, _progress, args.limit_s)
    print(json.dumps(vars(report)) if args.json else _text(report))
    return 0 if report.good else 1


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _text(report: Report) -> str:
    return "\n".join(f"{name:30} {value}" for name, value in vars(report).items())


if __name__ == "__main__":
    sys.exit(main())
