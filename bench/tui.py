"""The screen under load: keys to paint, bytes per token, long conversations, start, rest.

    python -m bench.tui --json

A scripted node in a process of its own streams four answers of 50 tokens a second each and changes
50 circuits a second; the screen runs in a pseudo-terminal of 120x40. `bytes_per_token` counts all
that is written to the terminal while the conversation in front streams, for each token of that
conversation; `..._slow_link` the same in the slow-link profile. `first_paint_ratio` is
bench/tui_start.py's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.processes import Children
from bench.tui_load import LAST_WORDS, LONG_TITLE, TOKENS_PER_S
from bench.tui_start import measure as measure_start
from bench.tui_terminal import ROOT, PtyProgram

COLUMNS, ROWS = 120, 40
KEYS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳ⒶⒷⒸⒹⒺⒻⒼⒽⒾⒿⓀⓁⓂⓃⓄⓅⓆⓇⓈⓉ"
"""Keys that stand in no answer, each pressed once, so that its paint is known for certain."""
SETTLE_S = 2.0
SCREEN = "import sys;from pathlib import Path;from tui.app.main import run_tui;"
SCREEN += "sys.exit(run_tui(Path(sys.argv[1])))"


@contextmanager
def busy_node(folder: Path) -> Iterator[Path]:
    """A node that keeps the screen busy; its socket."""
    socket = folder / "n.sock"
    with Children() as children:
        child = children.start(
            [sys.executable, "-m", "bench.tui_load", str(socket)],
            log=folder / "node.log",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
        if child.stdout is not None:
            child.stdout.readline()
        yield socket


def screen(socket: Path, folder: Path, profile: str) -> PtyProgram:
    """The screen on that node, once its bars are painted."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "SSH_CONNECTION")}
    environment |= {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "PEER2PROMPT_HOME": str(folder),
        "PEER2PROMPT_PROFILE": profile,
        "PYTHONPATH": str(ROOT),
    }
    program = PtyProgram([sys.executable, "-c", SCREEN, str(socket)], environment, COLUMNS, ROWS)
    program.until("4,096")  # the wallet, from the node's status: it is connected
    return program


def ask(program: PtyProgram, times: int) -> None:
    """Ask in so many conversations; the last one stays in front."""
    for number in range(times):
        if number:
            program.type("\x0e")  # Ctrl+N
            time.sleep(0.5)
        before = program.type(f"question {number}\r")
        program.until("streaming", before)


def under_load(profile: str, keys: int) -> tuple[list[float], float]:
    """Milliseconds from each key to its paint, and bytes for each token of the one in front."""
    with tempfile.TemporaryDirectory(prefix="p2p-") as name:
        folder = Path(name)
        with busy_node(folder) as socket, screen(socket, folder, profile) as program:
            ask(program, 4)
            time.sleep(SETTLE_S)
            before, began = program.written, time.perf_counter()
            time.sleep(10.0)
            streamed = program.written - before
            tokens = (time.perf_counter() - began) * TOKENS_PER_S
            delays = []
            for key in KEYS[:keys]:
                pressed = time.perf_counter()
                since = program.type(key)
                delays.append(1000 * (program.until(key, since) - pressed))
                time.sleep(0.137)
            return delays, streamed / tokens


def long_conversation() -> dict[str, float]:
    """Opening a conversation of 10,000 messages, and resting."""
    with tempfile.TemporaryDirectory(prefix="p2p-") as name:
        folder = Path(name)
        with busy_node(folder) as socket, screen(socket, folder, "full") as program:
            program.until(LONG_TITLE)
            time.sleep(SETTLE_S)
            used, began = program.cpu_s(), time.perf_counter()
            time.sleep(10.0)
            idle = (program.cpu_s() - used) / (time.perf_counter() - began)
            before = program.rss_mb()
            program.type("\x02")  # Ctrl+B: the list of conversations, the newest on top
            time.sleep(0.5)
            program.type("\x1b[B")  # below the line that begins a new one
            time.sleep(0.5)
            pressed = time.perf_counter()
            since = program.type("\r")
            opened = program.until(LAST_WORDS, since) - pressed
            time.sleep(SETTLE_S)
            return {
                "open_10000_messages_ms": round(1000 * opened, 1),
                "open_10000_messages_mb": round(program.rss_mb() - before, 1),
                "idle_cpu_percent": round(100 * idle, 2),
            }


def measure(keys: int, runs: int) -> dict[str, float]:
    """All figures of the screen."""
    delays, full = under_load("full", keys)
    slow_delays, slow = under_load("slow", keys)
    return {
        "key_to_paint_p50_ms": round(statistics.median(delays), 1),
        "key_to_paint_p95_ms": round(_p95(delays), 1),
        "key_to_paint_slow_link_p95_ms": round(_p95(slow_delays), 1),
        "bytes_per_token": round(full, 1),
        "bytes_per_token_slow_link": round(slow, 1),
        "first_paint_ratio": measure_start(runs)["ratio"],
        **long_conversation(),
    }


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--keys", type=int, default=len(KEYS), help="keys to press (default 40)")
    parser.add_argument("--runs", type=int, default=7, help="pairs of starts (default 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    result = measure(max(1, min(options.keys, len(KEYS))), max(1, options.runs))
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:32} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
