"""Whether paying for an answer shows in the times between its tokens.

    python -m bench.payment_gap [--json] [--rounds N] [--lock]

Starts the demo's processes (relays, ghost, client, a real mint) over a provider that speaks at a
known pace, steadily and in bursts. The ghost offers two models that are the same but for their
price: the free one is never paid for, the other every hundred tokens. Both are asked in turns in
one chat, so over the same circuit, which is unshaped here (a shaped one would hide what is sought).
The times between the arrivals of text at the client's socket are compared: quantiles, and the
two-sample Kolmogorov-Smirnov statistic, beside that of the free answers of odd and even rounds,
which is what the machine does by itself; and, inside the paid answers, the times around a payment
beside all others. With --lock the payments are locked to the ghost's key.

Needs what `make demo` needs; uses only loopback, and stops everything at the end.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import anyio

from bench.processes import BenchError
from bench.provider import pace_question
from bench.provider_demo import run_demo
from engine.control.client import ControlClient, ControlError, connect
from tui.demo import nodes
from tui.demo.home import DemoHome
from tui.demo.main import Demo
from tui.demo.options import Options

FREE, PAID = "free", "paid"
PACES = {"steady": (400, 1, 10), "bursts": (400, 8, 80)}
"""Words of an answer, how many come at once, ms between: both 100 words a second."""
ROUNDS = 4
ASK_TIMEOUT_S = 60.0
BEFORE_S, AFTER_S = 0.1, 0.3
"""What a payment does, from the wallet's journal to the ghost's thanks, happens in this time."""
PRICE = 40_000_000
CHUNK_MSAT = 8_000


@dataclass
class Taken:
    """Times between the tokens of one kind of answer, in ms, by round; and the payments made."""

    gaps: list[list[float]] = field(default_factory=list)
    payments: int = 0
    near: list[float] = field(default_factory=list)
    """Of `gaps`, those around a payment."""
    away: list[float] = field(default_factory=list)

    def add(self, at: Sequence[float], paid: Sequence[float]) -> None:
        """An answer whose text arrived at these moments, paid at those (seconds)."""
        pairs = list(pairwise(at))
        self.gaps.append([(later - earlier) * 1e3 for earlier, later in pairs])
        self.payments += len(paid)
        for earlier, later in pairs:
            near = any(later > t - BEFORE_S and earlier < t + AFTER_S for t in paid)
            (self.near if near else self.away).append((later - earlier) * 1e3)

    def all(self) -> list[float]:
        return sorted(gap for part in self.gaps for gap in part)

    def some(self, parity: int) -> list[float]:
        return sorted(gap for part in self.gaps[parity::2] for gap in part)


class TwoPriceHome:
    """Puts the two models and the plain circuit into the settings that the demo writes."""

    def __init__(self, home: DemoHome, *, lock: bool) -> None:
        self._home = home
        self._lock = lock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._home, name)

    def write_config(self, name: str, tables: Mapping[str, Any]) -> None:
        changed: dict[str, Any] = dict(tables)
        if name == "client":
            policy = "always" if self._lock else "off"
            changed["wallet"] = {**changed["wallet"], "lock_chunks": policy}
            changed["shape"] = {"class": "bulk"}
        elif name == "ghost":
            ghost = {key: value for key, value in changed["ghost"].items() if key != "models"}
            changed["ghost"] = {**ghost, "chunk_msat": CHUNK_MSAT, "max_out": 1000}
            changed["ghost.models"] = [
                {"name": FREE, "in_price": 0, "out_price": 0},
                {"name": PAID, "in_price": 0, "out_price": PRICE},
            ]
        self._home.write_config(name, changed)


class PricedDemo(Demo):
    """The demo with a measurement in place of the screen."""

    def __init__(self, provider_port: int, rounds: int, *, lock: bool) -> None:
        url = f"http://127.0.0.1:{provider_port}/v1"
        super().__init__(Options(provider_url=url, provider_key="bench", models=(PAID,)))
        self._home = TwoPriceHome(self._home, lock=lock)  # type: ignore[assignment]
        self._rounds = rounds
        self.found: dict[tuple[str, str], Taken] = {}

    def _screen(self) -> int:
        self.found = anyio.run(measure, nodes.socket_of(self._home, "client"), self._rounds)
        return 0


async def measure(socket: Path, rounds: int) -> dict[tuple[str, str], Taken]:
    """Ask both models in turns, in one chat. The first question is not counted."""
    found: dict[tuple[str, str], Taken] = defaultdict(Taken)
    async with connect(socket, client="bench", events=True) as client:
        _, _, session = await ask(client, PAID, "steady", None)
        for number in range(rounds):
            for pace in PACES:
                for model in (FREE, PAID) if number % 2 else (PAID, FREE):
                    at, paid, session = await ask(client, model, pace, session)
                    found[pace, model].add(at, paid)
    return found


async def ask(
    client: ControlClient, model: str, pace: str, session: str | None
) -> tuple[list[float], list[float], str]:
    """One answer: when its pieces arrived and when it was paid for (seconds), and the chat."""
    events = client.subscribe()
    at: list[float] = []
    paid: list[float] = []
    try:
        with anyio.fail_after(ASK_TIMEOUT_S):
            call: dict[str, Any] = {"text": pace_question(*PACES[pace]), "model": model}
            if session is not None:
                call["session_id"] = session
            started = await client.call("ask", **call)
            async for event in events:
                if event.data.get("ask_id") != started["ask_id"]:
                    continue
                if event.event == "ask.delta":
                    at.append(time.perf_counter())
                elif event.event == "ask.paid":
                    paid.append(time.perf_counter())
                elif event.event == "ask.failed":
                    raise BenchError(f"A question failed: {event.data.get('error')}")
                elif event.event == "ask.done":
                    break
    finally:
        events.close()
    return at, paid, str(started["session_id"])


# -- numbers ---------------------------------------------------------------------------------------


def quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of an ordered sample."""
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def smirnov(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Kolmogorov-Smirnov statistic D of two ordered samples and its asymptotic p (Stephens)."""
    d = max(
        abs(bisect_right(one, x) / len(one) - bisect_right(other, x) / len(other))
        for x in (*one, *other)
    )
    n = math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    z = (n + 0.12 + 0.11 / n) * d
    if z < 0.2:
        return d, 1.0  # the series does not converge, and its sum is 1
    tail = 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * z * z) for k in range(1, 101))
    return d, min(1.0, max(0.0, tail))


def report(found: Mapping[tuple[str, str], Taken], *, lock: bool) -> dict[str, Any]:
    """What --json prints; times in ms."""
    result: dict[str, Any] = {"locked": lock}
    for pace in PACES:
        free, paid = found[pace, FREE], found[pace, PAID]
        d, p = smirnov(paid.all(), free.all())
        alone_d, alone_p = smirnov(free.some(0), free.some(1))
        result[pace] = {
            "paid": _figures(paid),
            "free": _figures(free),
            "p99_paid_less_free_median": round(_paired(paid, free), 2),
            "around_a_payment": _quantiles(sorted(paid.near)),
            "elsewhere": _quantiles(sorted(paid.away)),
            "ks_d": round(d, 4),
            "ks_p": round(p, 4),
            "ks_d_free_against_free": round(alone_d, 4),
            "ks_p_free_against_free": round(alone_p, 4),
        }
    return result


def _paired(paid: Taken, free: Taken) -> float:
    """By how much the p99 of paid answers is above that of free ones, the median over the rounds:
    what the machine did meanwhile, it did to both."""
    parts = zip(paid.gaps, free.gaps, strict=True)
    return median(quantile(sorted(p), 0.99) - quantile(sorted(f), 0.99) for p, f in parts)


def _figures(taken: Taken) -> dict[str, float]:
    ordered = taken.all()
    return {"payments": taken.payments, **_quantiles(ordered)}


def _quantiles(ordered: Sequence[float]) -> dict[str, float]:
    if not ordered:
        return {"gaps": 0}
    found = {f"p{share}": round(quantile(ordered, share / 100), 2) for share in (50, 95, 99)}
    return {"gaps": len(ordered), **found, "max": round(ordered[-1], 2)}


def run(rounds: int, *, lock: bool) -> dict[str, Any]:
    """Start everything, measure, stop everything."""
    demo = run_demo("payment-gap", lambda port: PricedDemo(port, rounds, lock=lock))
    return report(demo.found, lock=lock)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.payment_gap", description="Times between tokens, paid and free."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds ({ROUNDS})")
    parser.add_argument("--lock", action="store_true", help="lock payments to the ghost's key")
    options = parser.parse_args()
    try:
        found = run(max(2, options.rounds), lock=options.lock)
    except (BenchError, ControlError, TimeoutError) as error:
        print(f"The measurement failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(found) if options.json else json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
