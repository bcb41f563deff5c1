"""What the network adds to the time of the first token, beside what it may add.

    python -m bench.first_token [--json]

Starts the demo's processes (relays, ghost, client, a real mint) over a provider of its own that
answers after the time a question names, and asks the same questions directly and through the
network, in turns. The bound is one tick of the shaping clock plus one round trip of the circuit.

Two cases: *warm* questions come in an open chat while the shaped run of the answer before still
goes on, so they wait for a tick on the way up and for another on the way down; *rested* ones come
after both runs have ended. Needs what `make demo` needs; uses only loopback, and stops everything
at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import anyio

from bench.processes import BenchError
from bench.provider import MODEL, question
from bench.provider_demo import run_demo
from engine.control.client import ControlClient, ControlError, connect
from tui.demo import nodes
from tui.demo.main import Demo
from tui.demo.options import Options

DELAYS_MS = (40, 65, 90, 115, 140)  # spread over a tick, so that no phase of it is favoured
ROUNDS = 4
RESTED = 4  # questions after a rest
THINKING_S = (0.3, 0.8)
RESTED_AFTER_S = 9.0  # a little more than the first bucket takes: 64 cells at 125 ms
ASK_TIMEOUT_S = 60.0


class MeasuredDemo(Demo):
    """The demo with a measurement in place of the screen."""

    def __init__(self, provider_port: int, rounds: int) -> None:
        url = f"http://127.0.0.1:{provider_port}/v1"
        super().__init__(Options(provider_url=url, provider_key="bench", models=(MODEL,)))
        self._port = provider_port
        self._rounds = rounds
        self.found: dict[str, object] = {}

    def _screen(self) -> int:
        socket = nodes.socket_of(self._home, "client")
        self.found = anyio.run(measure, socket, self._port, self._rounds)
        return 0


async def measure(socket: Path, provider_port: int, rounds: int) -> dict[str, object]:
    """Ask in turns. A new chat every round: a history of over one cell would take further ticks."""
    firsts: list[float] = []
    warm: list[float] = []
    rested: list[float] = []
    direct: list[float] = []
    async with connect(socket, client="bench", events=True) as client:
        session: str | None = None
        for _ in range(rounds):
            first, session = await ask(client, None, DELAYS_MS[0])
            firsts.append(first - DELAYS_MS[0])
            for delay in DELAYS_MS:
                alone = ask_directly(provider_port, delay)
                direct.append(alone - delay)
                # Who types asks at any phase of the tick, not at the end of the last answer.
                await anyio.sleep(random.uniform(*THINKING_S))
                warm.append((await ask(client, session, delay))[0] - alone)
        for delay in DELAYS_MS[:RESTED]:
            alone = ask_directly(provider_port, delay)
            await anyio.sleep(RESTED_AFTER_S + random.uniform(*THINKING_S))
            rested.append((await ask(client, session, delay))[0] - alone)
        status = await client.call("status")
        circuits = await client.call("circuits")
    rtts = [c["rtt_ms"] for c in circuits if c["rtt_ms"] is not None and c["hops"]]
    rtt_ms = statistics.median(rtts) if rtts else 0.0
    return report(status, rtt_ms, {"warm": warm, "rested": rested}, direct, firsts)


def report(
    status: dict[str, Any],
    rtt_ms: float,
    cases: dict[str, list[float]],
    direct: list[float],
    firsts: list[float],
) -> dict[str, object]:
    """The object that --json prints; all times in ms."""
    bound = float(status["tick_ms"]) + rtt_ms
    found: dict[str, object] = {
        "bound_ms": bound,
        "tick_ms": status["tick_ms"],
        "circuit_rtt_ms": rtt_ms,
        "shape_class": status["shape_class"],
        "direct_overhead_ms_p50": statistics.median(direct),
        "first_question_added_ms_p50": statistics.median(firsts),
    }
    for name, added in cases.items():
        added.sort()
        found[f"{name}_added_ms_p50"] = statistics.median(added)
        found[f"{name}_added_ms_max"] = added[-1]
        found[f"{name}_within_bound"] = statistics.median(added) <= bound
        found[f"{name}_added_ms"] = [round(value, 1) for value in added]
    return found


async def ask(client: ControlClient, session: str | None, delay_ms: int) -> tuple[float, str]:
    """Ask through the network: (ms from the request to the first piece of text, session)."""
    events = client.subscribe()
    first: float | None = None
    try:
        with anyio.fail_after(ASK_TIMEOUT_S):
            began = time.perf_counter()
            call: dict[str, Any] = {"text": question(delay_ms), "model": MODEL}
            if session is not None:
                call["session_id"] = session
            started = await client.call("ask", **call)
            async for event in events:
                if event.data.get("ask_id") != started["ask_id"]:
                    continue
                if event.event == "ask.delta" and first is None:
                    first = (time.perf_counter() - began) * 1e3
                elif event.event == "ask.failed":
                    raise BenchError(f"A question failed: {event.data.get('error')}")
                elif event.event == "ask.done":
                    break
    finally:
        events.close()
    if first is None:
        raise BenchError("An answer ended without a word.")
    return first, str(started["session_id"])


def ask_directly(port: int, delay_ms: int) -> float:
    """Ask the provider itself: ms from the request to the first piece of text."""
    messages = [{"role": "user", "content": question(delay_ms)}]
    body = json.dumps({"model": MODEL, "stream": True, "messages": messages})
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_TIMEOUT_S)
    try:
        link.connect()  # the ghost's connection is open too
        began = time.perf_counter()
        link.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        answer = link.getresponse()
        while line := answer.readline():
            if b'"content"' in line:
                took = (time.perf_counter() - began) * 1e3
                answer.read()
                return took
    finally:
        link.close()
    raise BenchError("The provider ended without a word.")


def run(rounds: int) -> dict[str, object]:
    """Start everything, measure, stop everything."""
    return run_demo("first-token", lambda port: MeasuredDemo(port, rounds)).found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.first_token", description="Time to first token, added by the network."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of 5 ({ROUNDS})")
    options = parser.parse_args()
    try:
        found = run(max(1, options.rounds))
    except (BenchError, ControlError, TimeoutError) as error:
        print(f"The measurement failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:20} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
