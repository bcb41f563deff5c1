"""The whole set of relays, kept by gossip, simulated: `python -m bench.directory_gossip --nodes N`.

A network some hours old, in which every node renews its advert once an hour and 10 % of the nodes
are replaced per hour. Measured: how long a newcomer's advert takes to be with half, 95 % and all of
the nodes, which share of all (node, other) pairs is missing at any moment, and the bytes a node
sends and receives. Virtual time (engine.sim.gossip).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

import trio
from trio.testing import MockClock

from engine.sim.gossip import HOUR_S, GossipWorld, spread_times

TURNOVER = 0.10
MARKS = (0.5, 0.95, 1.0)
NEWCOMERS = 5
SPREADING_S = 300.0

Figures = dict[str, float]


async def gossip(nodes: int, seed: int, minutes: float) -> Figures:
    """Everything about gossip at one size. To be run under a MockClock."""
    async with trio.open_nursery() as nursery:
        world = GossipWorld(nodes, seed, nursery)
        world.acquaint()
        await trio.sleep(60)
        before, begun = world.traffic.cells, trio.current_time()
        compared = world.traffic.comparisons
        missing = await _live(world, minutes * 60)
        seconds = trio.current_time() - begun
        world.traffic.cells -= before
        results = {
            "gossip_minutes": minutes,
            "gossip_missing_share": statistics.fmean(missing),
            "gossip_missing_share_worst": max(missing),
            "gossip_comparisons_per_node_hour": (world.traffic.comparisons - compared)
            / nodes
            * HOUR_S
            / seconds,
            "gossip_bytes_per_node_hour": world.traffic.bytes_per_node_hour(nodes, seconds),
        }
        times = [await spread_times(world, MARKS, SPREADING_S) for _ in range(NEWCOMERS)]
        for place, mark in enumerate(MARKS):
            name = f"gossip_spread_{round(mark * 100)}_s"
            results[name] = statistics.fmean(one[place] for one in times)
        nursery.cancel_scope.cancel()
    return results


async def _live(world: GossipWorld, seconds: float) -> list[float]:
    """Replace nodes at an even rate; the missing share at even moments."""
    step = min(30.0, seconds / 10)
    due, missing = 0.0, []
    for _ in range(round(seconds / step)):
        due += TURNOVER * len(world.nodes) * step / HOUR_S
        while due >= 1:
            world.replace_one()
            due -= 1
        await trio.sleep(step)
        missing.append(world.missing())
    return missing


def measure(nodes: int, seed: int, minutes: float) -> Figures:
    """Run it on virtual time."""
    begun = time.process_time()
    found: Figures = trio.run(gossip, nodes, seed, minutes, clock=MockClock(autojump_threshold=0))
    print(f"gossip: done after {time.process_time() - begun:.0f} s of CPU", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30.0, help="virtual")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {"nodes": options.nodes, **measure(options.nodes, options.seed, options.minutes)}
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for name, value in results.items():
        print(f"{name:40} {value:,.4g}")


if __name__ == "__main__":
    main()
