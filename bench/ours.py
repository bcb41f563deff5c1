"""The network under measurement: four relay processes as in production, and a client process.

Each relay is `python -m engine` with a store, a control socket and an address of its own on
loopback; the last one is the exit and may reach the measurement's server. Asks the processes to
work and reads their answers; the measuring itself is in bench/onion_client.py.
"""

from __future__ import annotations

import json
import selectors
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from bench.processes import BenchError, Children, cpu_s, free_port, rss_mib
from engine.control.client import connect
from engine.control.paths import control_socket

HOPS = 4
START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 150.0
_ROOT = Path(__file__).resolve().parent.parent


class Ours:
    """Peer2Prompt: guard, two middles, exit, client."""

    name = "ours"

    def __init__(self, children: Children, folder: Path, target: tuple[str, int]) -> None:
        self._children = children
        self._folder = folder
        self._target = target
        self._relays: list[int] = []
        self._client: subprocess.Popen[str]

    def start(self) -> None:
        """Start everything and warm the links; returns when the client can be asked."""
        homes = [self._folder / f"relay{place + 1}" for place in range(HOPS)]
        relays = [self._start_relay(home, place + 1) for place, home in enumerate(homes)]
        for relay in relays:
            read_line(relay, START_TIMEOUT_S, "ready")
            self._relays.append(relay.pid)
        adverts = self._folder / "adverts"
        adverts.write_text("\n".join(anyio.run(relay_adverts, homes)) + "\n")
        host, port = self._target
        self._client = self._children.start(
            [sys.executable, "-m", "bench.onion_client", adverts, host, str(port)],
            log=self._folder / "client.log",
            cwd=_ROOT,
        )
        read_line(self._client, START_TIMEOUT_S, "ready")

    def _start_relay(self, home: Path, place: int) -> subprocess.Popen[str]:
        home.mkdir()
        host = f"127.{place}.0.1"
        (home / "config.toml").write_text(
            'roles = ["relay"]\n'
            f'[store]\nkey_file = "{home / "key"}"\n'
            f'[link]\nlisten = "{host}:{free_port(host)}"\n'
            "[network]\ntest_network = true\n"
            f'[exit]\nmint_hosts = ["{self._target[0]}:{self._target[1]}"]\n'
        )
        return self._children.start(
            [sys.executable, "-m", "engine", "--home", home],
            log=home / "errors",
            cwd=_ROOT,
        )

    def pids(self) -> list[int]:
        """All hops and the client."""
        return [*self._relays, self._client.pid]

    def relay_rss(self) -> float:
        """Resident memory of the median relay in MiB."""
        return statistics.median(rss_mib(pid) for pid in self._relays)

    def _ask(self, command: str, *args: float) -> list[float]:
        if self._client.stdin is None:
            raise BenchError("The client process has no input.")
        print(json.dumps([command, *args]), file=self._client.stdin, flush=True)
        answer = json.loads(read_line(self._client, ANSWER_TIMEOUT_S, "["))
        return [float(value) for value in answer]

    def build(self, count: int) -> list[float]:
        return self._ask("build", count)

    def streams(self, count: int) -> list[float]:
        return self._ask("streams", count)

    def echo(self, count: int) -> list[float]:
        return self._ask("echo", count)

    def ticks(self, count: int, interval_us: int) -> list[float]:
        return self._ask("ticks", count, interval_us)

    def bulk(self, size: int) -> tuple[float, float]:
        """(seconds, CPU seconds of all hops and the client) for one download."""
        before = cpu_s(self.pids())
        (seconds,) = self._ask("bulk", size)
        return seconds, cpu_s(self.pids()) - before


async def relay_adverts(homes: Sequence[Path]) -> list[str]:
    lines = []
    for home in homes:
        async with connect(control_socket(home), client="bench", events=False) as client:
            lines.append(str((await client.call("advert"))["advert"]))
    return lines


def read_line(child: subprocess.Popen[str], timeout_s: float, start: str) -> str:
    """The child's next line, which must begin with `start`; BenchError when it does not come."""
    if child.stdout is None:
        raise BenchError("A process has no output.")
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(timeout_s):
            raise BenchError(f"A process did not answer within {timeout_s:.0f} s.")
    line = child.stdout.readline()
    if not line.startswith(start):
        raise BenchError(f"A process failed: {line.strip() or 'it ended'}")
    return line
