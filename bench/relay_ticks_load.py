"""The load of bench/relay_ticks.py: clients with always-on circuits, half of them a hop longer.

Run as `python -m bench.relay_ticks_load ADVERT FAR_ADVERT STREAMS TICK_MS SECONDS`. Says `running`
when every circuit ticks, measures, prints one JSON object. While it measures, it notes when a cell
came and does not open it, so that the load itself is light.
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from base64 import b64decode
from collections.abc import Sequence

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.path import Hop
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.wire.advert import Advert
from engine.wire.shape import ShapeClass, ShapePlan

CLIENTS = 8  # links to the relay that the circuits are spread over
BUILDERS = 2  # circuits built at once
PAUSE_S = 0.2  # after a relay refused
SETTLE_S = 3.0


class Timed(ClientCircuit):
    """A circuit that, once told to, only notes when its cells arrive."""

    def __init__(self, path: tuple[Hop, ...], plan: ShapePlan) -> None:
        super().__init__(path, default_suite(), "bench", plan)
        self.arrivals: array[float] | None = None

    def _on_run(self, bodies: Sequence[memoryview]) -> None:
        if self.arrivals is None:
            super()._on_run(bodies)
        else:
            now = time.perf_counter()
            self.arrivals.extend(now for _ in bodies)


def lateness_ms(arrivals: Sequence[float], tick_s: float) -> list[float]:
    """How late each cell is on the grid that the circuit's most punctual cell fits.

    A tick that was left out does not move the grid; it shows in the number of cells.
    """
    half = tick_s / 2
    offsets = [(at - arrivals[0] + half) % tick_s - half for at in arrivals]
    first = min(offsets)
    return [(offset - first) * 1e3 for offset in offsets]


def percentile(values: Sequence[float], share: float) -> float:
    """Of values in ascending order."""
    return values[min(len(values) - 1, int(len(values) * share))]


def _hop(line: str, role: str) -> Hop:
    advert = Advert.decode(b64decode(line), int(time.time()))
    address, key = advert.addresses[0], advert.onion_keys[-1].public
    return Hop(advert.node_id, address.host, address.port, key, role)


async def _build(
    paths: list[tuple[Hop, ...]], plan: ShapePlan, links: list[LinkManager], nursery: trio.Nursery
) -> list[Timed]:
    circuits: list[Timed] = []

    async def builder() -> None:
        while paths:
            path = paths.pop()
            circuit = Timed(path, plan)
            try:
                await circuit.build(links[len(circuits) % len(links)])
            except CircuitClosed:  # the relay defends itself against so many at once: in a moment
                paths.append(path)
                await trio.sleep(PAUSE_S)
                continue
            circuits.append(circuit)
            nursery.start_soon(circuit.run)

    async with trio.open_nursery() as builders:
        for _ in range(BUILDERS):
            builders.start_soon(builder)
    return circuits


async def main() -> None:
    """Build, settle, measure."""
    relay, far = _hop(sys.argv[1], "guard"), _hop(sys.argv[2], "exit")
    count, tick_ms, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    plan = ShapePlan(ShapeClass.ALWAYS_ON, tick_ms, (64,))
    async with trio.open_nursery() as nursery:
        links = [
            LinkManager(Identity.generate(), default_suite(), on_create=None)
            for _ in range(CLIENTS)
        ]
        for manager in links:
            await nursery.start(manager.run)
        ending: tuple[Hop, ...] = (relay,)
        passing = (relay, far)
        paths = [passing if number % 2 else ending for number in range(count)]
        circuits = await _build(paths, plan, links, nursery)
        for circuit in circuits:  # spread over the tick, as circuits that begin when users ask are
            circuit.endpoint.go()
            await trio.sleep(tick_ms / 1e3 / count)
        await trio.sleep(SETTLE_S)
        print("running", flush=True)
        for circuit in circuits:
            circuit.arrivals = array("d")
        began = time.perf_counter()
        await trio.sleep(seconds)
        took = time.perf_counter() - began
        print(json.dumps(report(circuits, tick_ms, took)), flush=True)
        nursery.cancel_scope.cancel()


def report(circuits: list[Timed], tick_ms: int, seconds: float) -> dict[str, object]:
    """The errors over all ticks of all circuits."""
    found: dict[str, object] = {
        "streams": len(circuits),
        "streams_open": sum(
            circuit.arrivals is not None and not circuit.reason for circuit in circuits
        ),
        "tick_ms": tick_ms,
        "seconds": seconds,
    }
    kinds = {"ending": 1, "passing": 2}
    everything: list[float] = []
    for kind, hops in kinds.items():
        errors = sorted(
            error
            for circuit in circuits
            if len(circuit.path) == hops and circuit.arrivals
            for error in lateness_ms(circuit.arrivals, tick_ms / 1e3)
        )
        everything += errors
        found[f"{kind}_error_p95_ms"] = percentile(errors, 0.95) if errors else None
    expected = len(circuits) * seconds * 1e3 / tick_ms
    missed = int(max(0.0, expected - len(everything) - len(circuits)))  # of the edges, one each
    everything.extend([float(tick_ms)] * missed)  # a tick left out is a tick late
    everything.sort()
    for share in (50, 95, 99):
        found[f"error_p{share}_ms"] = percentile(everything, share / 100)
    found["error_p95_of_tick"] = percentile(everything, 0.95) / tick_ms
    found["ticks_missed"] = missed
    return found


if __name__ == "__main__":
    trio.run(main)
