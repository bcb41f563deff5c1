"""The local API as its programs feel it: the time to the first word against a direct question, and
fifty questions at once.

    python -m bench.api_clients [--rounds 20] [--json]

Everything is real but the model: a demo network of processes with one provider that answers at once
(tests/helpers/demo_api.py), OpenAI's and Anthropic's own clients. Direct questions go over the
control socket, as `peer2prompt ask` puts them, without the start of that process, and in one
conversation; so both sides find their session open. The three are asked in turn. Milliseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import anyio
import openai

from engine.control.client import connect
from engine.control.paths import control_socket
from tests.helpers.demo_api import DemoApi, demo_api
from tests.helpers.provider_able import MODEL

QUESTION = "What is an onion?"
SAID: list[Any] = [{"role": "user", "content": QUESTION}]
AT_ONCE = 50
PROGRAMS = ("one", "two", "three")


def direct(demo: DemoApi) -> Callable[[], float]:
    """One conversation over the control socket; seconds to the first word of each answer."""
    session = ""

    async def ask() -> float:
        nonlocal session
        where = control_socket(demo.home / "client")
        async with connect(where, client="bench", events=True) as client:
            events = client.subscribe()
            begun, first = time.perf_counter(), 0.0
            params = {"session_id": session} if session else {}
            started = await client.call("ask", text=QUESTION, model=MODEL, **params)
            session = started["session_id"]
            async for event in events:
                if event.data.get("ask_id") != started["ask_id"]:
                    continue
                if event.event == "ask.delta" and not first:
                    first = time.perf_counter() - begun
                if event.event in ("ask.done", "ask.failed"):
                    break
            events.close()
        assert first, "the question failed"
        return first

    return lambda: anyio.run(ask)


def by_openai(client: openai.OpenAI) -> float:
    """Seconds to the first word."""
    begun, first = time.perf_counter(), 0.0
    for chunk in client.chat.completions.create(model=MODEL, messages=SAID, stream=True):
        if not first and chunk.choices and chunk.choices[0].delta.content:
            first = time.perf_counter() - begun
    return first


def by_anthropic(client: anthropic.Anthropic) -> float:
    """Seconds to the first word."""
    begun, first = time.perf_counter(), 0.0
    with client.messages.stream(model=MODEL, max_tokens=100, messages=SAID) as stream:
        for _ in stream.text_stream:
            first = first or time.perf_counter() - begun
    return first


def at_once(demo: DemoApi) -> dict[str, float]:
    """Fifty whole answers for three programs, all asked at the same moment."""
    clients = [
        openai.OpenAI(base_url=demo.url, api_key=demo.key(name), timeout=300) for name in PROGRAMS
    ]

    def ask(number: int) -> float:
        begun = time.perf_counter()
        clients[number % len(clients)].chat.completions.create(model=MODEL, messages=SAID)
        return time.perf_counter() - begun

    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        took = sorted(threads.map(ask, range(AT_ONCE)))
    whole = time.perf_counter() - begun
    for client in clients:
        client.close()
    places = {"first": 0, "median": AT_ONCE // 2, "p95": AT_ONCE * 95 // 100, "last": -1}
    return {"all": ms(whole), **{name: ms(took[place]) for name, place in places.items()}}


def ms(seconds: float) -> float:
    """Rounded milliseconds."""
    return round(seconds * 1000, 1)


def spread(times: list[float]) -> dict[str, float]:
    """The middle and its neighbours."""
    low, middle, high = statistics.quantiles(times, n=4)
    return {"p25": ms(low), "median": ms(middle), "p75": ms(high)}


def measure(demo: DemoApi, rounds: int) -> dict[str, Any]:
    """All of it."""
    url = demo.url.removesuffix("/v1")
    with (
        openai.OpenAI(base_url=demo.url, api_key=demo.key("one"), timeout=120) as ours,
        anthropic.Anthropic(base_url=url, api_key=demo.key("one"), timeout=120) as theirs,
    ):
        ways: dict[str, Callable[[], float]] = {
            "direct": direct(demo),
            "openai": lambda: by_openai(ours),
            "anthropic": lambda: by_anthropic(theirs),
        }
        cold = {name: ms(ask()) for name, ask in ways.items()}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds):
            print(f"round {number + 1}", file=sys.stderr)
            for name, ask in ways.items():
                times[name].append(ask())
    demo.settle()
    many = [at_once(demo) for _ in range(3)]
    demo.check_money()
    return {
        "first_word_cold_ms": cold,
        "first_word_ms": {name: spread(found) for name, found in times.items()},
        "fifty_at_once_ms": many,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with demo_api() as demo:
        found = measure(demo, options.rounds)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
