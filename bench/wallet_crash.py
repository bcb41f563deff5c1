"""SIGKILL at random points of every money move, against two real mints: is a sat lost or doubled?

    python -m bench.wallet_crash --runs 1000 --json

Each run is a process that opens the stores of a client and a ghost, recovers, audits the books
and moves money until it is killed in the middle of a move; the next one must find everything. The
process is forked from one that has loaded the code already, so a run costs little more than its
moves. Needs the mint's environment (`make mint-env`); uses only loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import trio

from bench import wallet_crash_life as life
from tests.helpers.mint import RealMint

USUAL_FEE_PPK = 100
# How long a move is taken to last before one was seen; the kill comes at a random part of it.
FIRST_GUESS_S = 0.15
SILENCE_S = 120.0


@dataclass
class Report:
    """What `--json` prints. `killed_in` counts the moves in whose middle the process died."""

    runs: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    killed_in: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return self.lost == self.doubled == self.stuck == 0


class Life:
    """A forked process and the lines it says."""

    def __init__(self, work: Callable[[life.Say], Any]) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            _child(work, writing)
        os.close(writing)
        self._lines = os.fdopen(reading, "rb", buffering=0)
        self._rest = b""

    def line(self, limit_s: float) -> dict[str, Any] | None:
        """The next line, or None when none came in time or the process ended."""
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            ready, _, _ = select.select(
                [self._lines], [], [], max(0.0, deadline - time.monotonic())
            )
            data = os.read(self._lines.fileno(), 65_536) if ready else b""
            if not data:
                return None
            self._rest += data
        first, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(first)
        return found

    def audit(self) -> life.Audit:
        """The first thing a life says."""
        found = self.line(SILENCE_S)
        if found is None:
            self.end()
            raise SystemExit("The process ended before it had audited the books.")
        return life.Audit(**found)

    def end(self) -> None:
        """SIGKILL, if it still lives."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._lines.close()


def _child(work: Callable[[life.Say], Any], handle: int) -> NoReturn:
    """Never returns into the parent's code: its clean-up belongs to the parent alone."""
    code = 1
    try:
        trio.run(work, life.line_writer(handle))
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        os._exit(code)


def run(
    folder: Path, mints: Sequence[life.Mint], runs: int, seed: int, tell: Callable[[str], None]
) -> Report:
    """Kill `runs` processes; the report also covers what the last of them left behind."""
    rng = random.Random(seed)
    report = Report()
    longest: dict[str, float] = {}
    baseline = sum(life.owed_at(mint) for mint in mints)
    started = time.monotonic()
    for number in range(runs):
        process = Life(
            lambda say, n=number: life.live(folder, mints, baseline, seed + n, say)  # type: ignore[misc]
        )
        try:
            _count(report, process.audit())
            name = _watch(process, rng, longest)
            report.killed_in[name] = report.killed_in.get(name, 0) + 1
        finally:
            process.end()
        report.runs += 1
        if report.runs % 50 == 0:
            tell(f"{report.runs} runs, {report.lost} sat lost, {report.doubled} doubled")
    last = Life(lambda say: life.only_audit(folder, mints, baseline, say))
    try:
        _count(report, last.audit())
    finally:
        last.end()
    report.seconds = time.monotonic() - started
    return report


def _count(report: Report, audit: life.Audit) -> None:
    report.lost = max(report.lost, audit.lost)
    report.doubled = max(report.doubled, audit.doubled)
    report.stuck = max(report.stuck, audit.open)


def _watch(process: Life, rng: random.Random, longest: dict[str, float]) -> str:
    """Let it begin one to three moves, then wait for a random part of the last; its name."""
    name, begun, left = "", 0.0, rng.randrange(1, 4)
    while left:
        found = process.line(SILENCE_S)
        if found is None:
            raise SystemExit("The process ended by itself.")
        if "begin" not in found:
            continue
        now = time.monotonic()
        if name:
            longest[name] = max(longest.get(name, 0.0), now - begun)
        name, begun, left = found["begin"], now, left - 1
    time.sleep(rng.uniform(0, longest.get(name, FIRST_GUESS_S)))
    return name


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.wallet_crash", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="processes to kill (1000)")
    parser.add_argument("--seed", type=int, default=2026, help="of the moves and moments (2026)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--mint",
        nargs=2,
        action="append",
        metavar=("URL", "BOOKS"),
        help="a running mint and its database, twice, instead of two of its own",
    )
    args = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="p2p-crash-")))
        mints = [life.Mint(url, Path(books)) for url, books in args.mint or ()] or [
            _start(stack, fee) for fee in (0, USUAL_FEE_PPK)
        ]
        report = run(folder, mints, args.runs, args.seed, _progress)
    if args.json:
        print(json.dumps(asdict(report)))
    else:
        _print(report)
    return 0 if report.good else 1


def _start(stack: ExitStack, fee_ppk: int) -> life.Mint:
    mint = stack.enter_context(RealMint(input_fee_ppk=fee_ppk))
    return life.Mint(mint.url, mint.books)


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(report: Report) -> None:
    print(
        f"{report.runs} runs in {report.seconds:.0f} s: {report.lost} sat lost,"
        f" {report.doubled} sat doubled, {report.stuck} operations stuck"
    )
    for name, count in sorted(report.killed_in.items()):
        print(f"  killed in {name}: {count}")


if __name__ == "__main__":
    sys.exit(main())
