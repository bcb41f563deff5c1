"""How soon bad ghosts are left alone: `python -m bench.reputation [--json] [--seed N]`.

Clients choose among 20 honest ghosts and 20 bad ones (false bills, slow, wrong answers, take and
stop, good for a while and then not, fresh names after each theft, a bait of a price) by the
program's own opinions and choice; engine/sim/reputation.py says how each behaves. Printed for each
case: the share of questions that bad ghosts got and of questions that did harm, in the first tenth
of each client's sessions and in their last half; the largest share of one client's sessions that
one ghost got. Virtual time, one seed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

from engine.sim.reputation import Result, Setup, Told, simulate

USUAL = Setup()
CASES = {
    "by chance": replace(USUAL, by_chance=True),
    "usual": USUAL,
    "without probes": replace(USUAL, probes=0.0),
    "200 fresh names": replace(USUAL, sybils=200, clients=4),
    "two of three bad": replace(USUAL, honest=10, bad=20),
}


def report(result: Result) -> dict[str, float]:
    """The figures of one case."""
    return {
        **_phase("first", result.first),
        **_phase("last", result.last),
        "most_of_one": round(result.most_of_one, 3),
        "names": result.names,
    }


def _phase(name: str, told: Told) -> dict[str, float]:
    return {
        f"{name}_bad": round(told.bad / told.asked, 3),
        f"{name}_harmed": round(told.harmed / told.asked, 3),
        f"{name}_robbed": round(told.robbed / told.asked, 3),
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    found = {
        name: report(simulate(replace(setup, seed=args.seed))) for name, setup in CASES.items()
    }
    if args.json:
        print(json.dumps({"seed": args.seed, "sessions": USUAL.sessions, "cases": found}))
        return
    print(f"{'':18}  bad: first  last   harmed: first  last   robbed: first  last   most of one")
    for name, row in found.items():
        print(
            f"{name:18}  {row['first_bad']:10.1%} {row['last_bad']:5.1%}"
            f"   {row['first_harmed']:13.1%} {row['last_harmed']:5.1%}"
            f"   {row['first_robbed']:13.1%} {row['last_robbed']:5.1%}   {row['most_of_one']:.0%}"
        )


if __name__ == "__main__":
    main()
