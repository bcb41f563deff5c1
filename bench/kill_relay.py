"""Kills a relay while an answer streams, again and again: how often is the answer completed?

    python -m bench.kill_relay [--runs N] [--seed S] [--processes] [--json]

Without --processes each run is a whole network in this process (tests.helpers.kill_world): seven
relays, a ghost with a scripted provider, a client, all real code over loopback in virtual time.
One relay dies at a random moment from the question on: a guard, a middle, a return relay or a
mailbox; or the links of the ghost break. In two of five runs the client dies with it and comes back
later, in half of those the ghost is gone by then. An answer counts as completed when the chat holds
it whole, in one message, billed once.

With --processes each run is a question to a demo of real processes, one relay of its circuit is
killed with SIGKILL in the middle of the answer.

The report: runs, completed, by_resume (a fresh circuit to the ghost), by_mailbox, failed, ratio.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import trio

from tests.helpers.kill_world import Fate, Outcome, run_fate
from tests.helpers.virtual_time import threads_inline, virtual_clock

MEMORY = Path("/dev/shm")


def simulate(seed: int) -> Outcome:
    """One run in virtual time; what breaks in it counts as a failure with its name."""
    folder = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as place, threads_inline():
        try:
            return trio.run(run_fate, Path(place), Fate.of(seed), clock=virtual_clock())
        except Exception as error:
            return Outcome(False, "", f"{type(error).__name__}: {error}")


def report(outcomes: dict[int, Outcome]) -> dict[str, object]:
    """The figures of all runs, keyed by seed."""
    completed = [outcome for outcome in outcomes.values() if outcome.completed]
    ways = Counter(outcome.way for outcome in completed)
    failed = {seed: one.why for seed, one in outcomes.items() if not one.completed}
    return {
        "runs": len(outcomes),
        "completed": len(completed),
        "untouched": ways[""],
        "by_resume": ways["resume"],
        "by_mailbox": ways["mailbox"],
        "failed": len(failed),
        "ratio": len(completed) / max(1, len(outcomes)),
        "failures": failed,
    }


def main() -> int:
    """Run and print; exit code 1 when an answer was lost."""
    parser = argparse.ArgumentParser(prog="kill_relay", description="Kill relays mid-answer.")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--processes", action="store_true", help="real processes, SIGKILL")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.processes:
        from bench.kill_processes import run_processes

        outcomes = run_processes(args.runs, args.seed)
    else:
        outcomes = {}
        for seed in range(args.seed, args.seed + args.runs):
            outcomes[seed] = simulate(seed)
            if not outcomes[seed].completed:
                print(f"run {seed}: {outcomes[seed].why}", file=sys.stderr)
    found = report(outcomes)
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:12} {value}")
    return 1 if found["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
