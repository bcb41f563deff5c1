"""A look-up in a cold DHT of real nodes: `python -m bench.directory_live [--nodes 60] [--json]`.

Relays in one process, each with links of its own over TCP on loopback, know each other's adverts
and have just joined the DHT. A ghost publishes under four keys; then relays that never asked for
them look the keys up, each key once a relay. Every node shares this one process and core, so what
is measured is an upper bound of what the protocol costs.
"""

from __future__ import annotations

import argparse
import json
import time
from random import Random
from typing import Any

import trio

from engine.wire.record import SALTS
from tests.helpers.dht_world import MODEL, dht_world


async def live(nodes: int, searches: int, seed: int) -> dict[str, Any]:
    """Look-ups over real links, one after the other."""
    rng = Random(seed)
    async with dht_world(nodes) as world:
        publisher = world.ghost.publisher()
        world.nursery.start_soon(publisher.run)
        while publisher.records < SALTS:
            await trio.sleep(0.05)
        keys = MODEL.keys(MODEL.epoch_at(time.time()))
        pairs = [(relay, key) for relay in world.relays for key in keys]
        times, found = [], 0
        for relay, key in rng.sample(pairs, min(searches, len(pairs))):
            begun = time.perf_counter()
            found += bool(await relay.dht.find_values(key))
            times.append(1_000 * (time.perf_counter() - begun))
        tables = [len(relay.dht.core.table) for relay in world.relays]
    times.sort()
    return {
        "nodes": nodes,
        "searches": len(times),
        "success": found / len(times),
        "lookup_p50_ms": times[len(times) // 2],
        "lookup_p95_ms": times[int(len(times) * 0.95)],
        "table_mean": sum(tables) / len(tables),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=60)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = trio.run(live, options.nodes, options.searches, options.seed)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for name, value in results.items():
        print(f"{name:20} {value:,.4g}")


if __name__ == "__main__":
    main()
