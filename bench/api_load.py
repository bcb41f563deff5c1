"""The local API under load: so many requests at all times, for so long; does anything leak?

    python -m bench.api_load [--requests 200] [--seconds 300] [--count N] [--keys 8] [--json]

Programs with keys of their own ask a node's API (`bench.api_load_node` says what of it is real)
over real HTTP from another process: streams, whole answers, and streams left in the middle.
Half of the requests are of the first program: fairness is Jain's index of what each program gets,
when all have more to ask than they may at a time. With --count it ends after so many answers.

Memory, open files and tasks are the node's own: before, in the middle, at the end, and once all
sessions were left. The slope of the memory is a line through the samples of the second half.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import trio

SAMPLE_S = 5.0
CALM_S = 60.0
ROOT = Path(__file__).resolve().parents[1]
SAID = [{"role": "user", "content": "What is an onion?"}]
KINDS = ("stream", "stream", "stream", "stream", "whole", "whole", "whole", "whole", "left", "left")


@dataclass
class Report:
    """What is printed. Milliseconds of whole requests; memory in MB."""

    requests: int
    seconds: float = 0.0
    answered: int = 0
    left: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    latency_p50_ms: float = 0.0
    latency_p95_ms: float = 0.0
    first_word_p50_ms: float = 0.0
    by_program: list[int] = field(default_factory=list)
    jain_index: float = 0.0
    most_under_way: int = 0
    rss_mb: dict[str, float] = field(default_factory=dict)
    rss_slope_mb_per_minute: float = 0.0
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


class Node:
    """The process that serves."""

    def __init__(self, process: trio.Process, keys: int) -> None:
        self._process = process
        self._lines = b""
        self._asking = trio.Lock()
        self.url = ""
        self.keys = ["" for _ in range(keys)]

    async def start(self) -> None:
        hello = await self._line()
        self.url, self.keys = hello["url"], hello["keys"]

    async def figures(self, order: str = "") -> dict[str, Any]:
        """What it holds now; with the order to "leave", once all sessions were left."""
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeError("the node has no standard input")
        async with self._asking:
            await stdin.send_all(f"{order}\n".encode())
            return await self._line()

    async def _line(self) -> dict[str, Any]:
        stdout = self._process.stdout
        while b"\n" not in self._lines:
            data = b"" if stdout is None else await stdout.receive_some()
            if not data:
                raise RuntimeError("the node ended")
            self._lines += data
        line, _, self._lines = self._lines.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


class Load:
    """All programs, and what they got."""

    def __init__(self, node: Node, report: Report, count: int) -> None:
        self._node = node
        self._report = report
        self._left = count or sys.maxsize
        self._failed: Counter[str] = Counter()
        self._took: list[float] = []
        self._first: list[float] = []
        self._by_program = [0] * len(node.keys)
        self._samples: list[tuple[float, float]] = []

    async def run(self, seconds: float) -> None:
        """Ask until the time is over, or the number is reached."""
        begun = trio.current_time()
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._sample, begun)
                async with trio.open_nursery() as workers:
                    for number in range(self._report.requests):
                        workers.start_soon(self._program, number)
                nursery.cancel_scope.cancel()
        self._sum_up(trio.current_time() - begun)

    async def _program(self, number: int) -> None:
        """Half of them belong to the first program."""
        keys = self._node.keys
        who = 0 if number % 2 == 0 or len(keys) == 1 else 1 + number // 2 % (len(keys) - 1)
        headers = {"Authorization": f"Bearer {keys[who]}"}
        async with httpx.AsyncClient(
            base_url=self._node.url, headers=headers, timeout=120
        ) as client:
            turn = number
            while self._left > 0:
                self._left -= 1
                kind, turn = KINDS[turn % len(KINDS)], turn + 1
                await self._ask(client, kind, who)

    async def _ask(self, client: httpx.AsyncClient, kind: str, who: int) -> None:
        begun = time.perf_counter()
        try:
            if kind == "whole":
                reply = await client.post("/chat/completions", json=_body())
                problem = "" if reply.status_code == 200 else f"{reply.status_code}"
            else:
                problem = await self._stream(client, begun, leave=kind == "left")
        except httpx.HTTPError as error:
            problem = type(error).__name__
        if problem:
            self._failed[problem] += 1
            return
        self._by_program[who] += 1
        if kind == "left":
            self._report.left += 1
        else:
            self._report.answered += 1
            self._took.append(time.perf_counter() - begun)

    async def _stream(self, client: httpx.AsyncClient, begun: float, *, leave: bool) -> str:
        """The problem, or nothing."""
        async with client.stream("POST", "/chat/completions", json=_body(stream=True)) as reply:
            if reply.status_code != 200:
                return str(reply.status_code)
            told, words = "", 0
            async for line in reply.aiter_lines():
                words += line.startswith("data: {")
                if words == 1 and line:
                    self._first.append(time.perf_counter() - begun)
                if leave and words > 4:
                    return ""
                told = line or told
        return "" if told == "data: [DONE]" else "broken stream"

    async def _sample(self, begun: float) -> None:
        while True:
            found = await self._node.figures()
            self._samples.append((trio.current_time() - begun, found["rss_mb"]))
            most = max(self._report.most_under_way, found["under_way"])
            self._report.most_under_way = most
            await trio.sleep(SAMPLE_S)

    def _sum_up(self, seconds: float) -> None:
        report = self._report
        report.seconds = round(seconds, 1)
        report.failed = dict(self._failed)
        report.by_program = self._by_program
        report.jain_index = round(jain(self._by_program), 4)
        report.latency_p50_ms, report.latency_p95_ms = _quantiles(self._took)
        report.first_word_p50_ms, _ = _quantiles(self._first)
        second = self._samples[len(self._samples) // 2 :]
        report.rss_slope_mb_per_minute = round(slope(second) * 60, 3)
        places = {"start": 0, "middle": len(self._samples) // 2, "end": -1}
        report.rss_mb = {name: self._samples[at][1] for name, at in places.items()}


def jain(shares: list[int]) -> float:
    """1 when all get the same, 1/n when one gets everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


def slope(samples: list[tuple[float, float]]) -> float:
    """Of the line through them; 0 when there are too few."""
    if len(samples) < 3:
        return 0.0
    return statistics.linear_regression(*zip(*samples, strict=True)).slope


def _quantiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the 95th percentile, in milliseconds."""
    if len(seconds) < 2:
        return 0.0, 0.0
    cuts = statistics.quantiles(seconds, n=20)
    return round(cuts[9] * 1000, 1), round(cuts[18] * 1000, 1)


def _body(*, stream: bool = False) -> dict[str, Any]:
    return {"model": "auto", "messages": SAID, "stream": stream}


async def calm(node: Node, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The node's figures once it has noticed that everybody has gone."""
    with trio.move_on_after(CALM_S):
        while not done(found := await node.figures("leave")):
            await trio.sleep(0.1)
    return found


async def measure(requests: int, seconds: float, count: int, keys: int) -> Report:
    """One run."""
    command = [sys.executable, "-m", "bench.api_load_node", str(keys), str(keys + 2)]
    start: Callable[..., Awaitable[object]] = trio.run_process
    report = Report(requests)
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            lambda task_status: start(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                check=False,
                task_status=task_status,
            )
        )
        node = Node(process, keys)
        await node.start()
        report.before = await node.figures()
        await Load(node, report, count).run(seconds)
        before = report.before
        report.after = await calm(
            node,
            lambda now: (
                now["sessions"] == now["under_way"] == 0 and now["files"] <= before["files"]
            ),
        )
        await process.stdin.aclose()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--keys", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    report = asdict(trio.run(measure, args.requests, args.seconds, args.count, args.keys))
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
