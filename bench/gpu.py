"""The GPU node beside llama-server and bare llama-cpp-python: same model, machine, settings, run.

    python -m bench.gpu [--rounds 5] [--tokens 48] [--threads 1] [--json]

Four answers at once against llama-server's (xllamacpp, in the provider environment), one answer
against llama-cpp-python's own class. They take turns in short rounds; the figures are medians of
the ratios within a round, by the clock and by processor time, because other work on the machine
disturbs the first more than the second. Then, of ours alone: how late the trio loop wakes, how long
a cancelled answer holds its place, and what a session's prefix cache saves. About two minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from bench.gpu_tasks import OPTIONS, Done, Task
from bench.ours import read_line
from bench.processes import BenchError, Children, cpu_s
from tui.demo.tools import provider_model, provider_python

CONTEXT, PARALLEL, MICRO_BATCH = 1024, 4, 32
ONES = 3
"""Turns of one answer in a round: they are short, and so more easily disturbed."""
START_S, TURN_S = 60.0, 120.0
ROOT = Path(__file__).resolve().parent.parent


class Rival:
    """llama-server, asked over HTTP as its users do."""

    def __init__(self, children: Children, log: Path, model: Path, threads: int) -> None:
        script = ROOT / "bench" / "gpu_server.py"
        numbers = (CONTEXT, PARALLEL, threads, MICRO_BATCH)
        argv: list[str | Path] = [provider_python(), script, model, *map(str, numbers)]
        self.child = children.start(argv, log=log)
        ready = read_line(self.child, START_S, "ready ")
        self.url = json.loads(ready.removeprefix("ready "))["url"] + "/v1/chat/completions"

    def run(self, task: Task) -> Done:
        made: list[int] = []
        threads = [
            threading.Thread(target=lambda text=text: made.append(self._ask(text, task.tokens)))
            for text in task.questions()
        ]
        begun, cpu = time.perf_counter(), cpu_s([self.child.pid])
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall, used = time.perf_counter() - begun, cpu_s([self.child.pid]) - cpu
        if len(made) != task.sessions:
            raise BenchError("llama-server did not answer every question.")
        return Done(sum(made), wall, used)

    def _ask(self, text: str, tokens: int) -> int:
        body = {
            "messages": [{"role": "user", "content": text}],
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            "cache_prompt": False,
            **OPTIONS,
        }
        usage = 0
        with httpx.stream("POST", self.url, json=body, timeout=TURN_S, trust_env=False) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    found = json.loads(line[6:])
                    usage = (found.get("usage") or {}).get("completion_tokens", usage)
        return usage


class Worker:
    """One of our own processes that takes a task per line."""

    def __init__(self, children: Children, log: Path, module: str, *numbers: object) -> None:
        argv = [sys.executable, "-m", module, *map(str, numbers)]
        self.child = children.start(argv, log=log, cwd=ROOT)
        read_line(self.child, START_S, "ready")

    def say(self, line: str) -> dict[str, float]:
        """One line to it, and its answer."""
        assert self.child.stdin is not None
        self.child.stdin.write(line.strip() + "\n")
        self.child.stdin.flush()
        found: dict[str, float] = json.loads(read_line(self.child, TURN_S, "{"))
        return found

    def run(self, task: Task) -> Done:
        found = self.say(task.line())
        return Done(int(found["tokens"]), found["wall_s"], found["cpu_s"])


def measure(rounds: int, tokens: int, threads: int) -> dict[str, Any]:
    """All figures, as one object."""
    model = provider_model()
    with tempfile.TemporaryDirectory() as folder, Children() as children:
        log = Path(folder) / "errors.log"
        ours = Worker(
            children, log, "bench.gpu_ours", model, CONTEXT, PARALLEL, threads, MICRO_BATCH
        )
        bare = Worker(children, log, "bench.gpu_bare", model, CONTEXT, threads, MICRO_BATCH)
        server = Rival(children, log, model, threads)
        four = (("ours_4", ours, 4), ("server_4", server, 4))
        one = (("ours_1", ours, 1), ("bare_1", bare, 1), ("server_1", server, 1))
        for _, who, sessions in (*four, *one):
            who.run(Task(1, sessions, 8))  # nobody's first turn counts
        done: dict[str, list[Done]] = {name: [] for name, _, _ in (*four, *one)}
        for number in range(2, rounds + 2):
            for turns in (four, *([one] * ONES)):
                backwards = (number + len(done["ours_1"])) % 2
                for name, who, sessions in turns[::-1] if backwards else turns:
                    done[name].append(who.run(Task(number, sessions, tokens)))
            print(f"round {number - 1}", file=sys.stderr)
        return {
            "rounds": rounds,
            "tokens": tokens,
            "threads": threads,
            "four_beside_llama_server": ratio(done["ours_4"], done["server_4"]),
            "one_beside_bare": ratio(done["ours_1"], done["bare_1"]),
            "one_beside_llama_server": ratio(done["ours_1"], done["server_1"]),
            "tokens_per_s": {name: round(median_rate(runs), 1) for name, runs in done.items()},
            "loop_late_ms": rounded(ours.say("lag")),
            "loop_late_ms_beside_hashing": rounded(ours.say("hashing")),
            "cancel_ms": rounded(ours.say("cancel")),
            "prefix": rounded(ours.say("prefix")),
        }


def ratio(ours: list[Done], theirs: list[Done]) -> dict[str, float]:
    """Our tokens per second over theirs, median of the rounds: by the clock, by processor time."""
    pairs = list(zip(ours, theirs, strict=True))
    return {
        "clock": round(statistics.median(a.rate / b.rate for a, b in pairs), 3),
        "processor": round(statistics.median(a.cpu_rate / b.cpu_rate for a, b in pairs), 3),
    }


def median_rate(runs: list[Done]) -> float:
    return statistics.median(run.rate for run in runs)


def rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        found = measure(args.rounds, args.tokens, args.threads)
    except (BenchError, OSError, subprocess.SubprocessError, httpx.HTTPError) as error:
        print(f"The measurement could not be made: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:26} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
