"""Many sessions at once against one ghost process: does anyone starve, what does each cost?

    python -m bench.ghost_load --sessions 1000 --json

The ghost is a process of its own (bench.ghost_load_host) with a real wallet and store, over a fast
provider and a mint that speak HTTP in processes of theirs; the clients are the program's own
`AskSession`s, which pay with exact coins made beforehand. A TCP connection stands for a circuit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import trio

from bench.ghost_load_host import MODEL, SEED, TAG_BYTES, SocketCircuit
from bench.ghost_load_payer import ReadyPayer
from bench.processes import BenchError, Children, cpu_s, rss_mib
from engine.errors import Peer2PromptError
from engine.identity import Identity
from engine.session.client import AskSession
from engine.session.events import AnswerDelta, AskEvent
from tests.helpers.market_fakes import FakeStore
from wallet.errors import WalletError
from wallet.mint import MintClient

LIMIT_S = 300.0
WORD_BYTES = 6
"""What the provider says per token (bench.ghost_load_host)."""
Child = subprocess.Popen[str]
BODY = [{"role": "user", "content": "What is an onion?"}]


@dataclass
class Progress:
    """What one session saw, in seconds since all began."""

    asked: float = 0.0
    first: float = 0.0
    last: float = 0.0
    bytes: int = 0
    longest_gap: float = 0.0
    done: bool = False
    error: str = ""

    def note(self, event: AskEvent, now: float) -> None:
        if not isinstance(event, AnswerDelta):
            return
        before = self.last or self.asked
        self.longest_gap = max(self.longest_gap, now - before)
        self.first = self.first or now
        self.last = now
        self.bytes += len(event.text.encode())


@dataclass
class Report:
    """What `--json` prints. Shares are of the text delivered when half of all had come."""

    sessions: int = 0
    finished: int = 0
    errors: list[str] = field(default_factory=list)
    open_s: float = 0.0
    seconds: float = 0.0
    tokens_per_s: float = 0.0
    jain_index: float = 0.0
    least_share: float = 0.0
    first_word_p50_s: float = 0.0
    first_word_p99_s: float = 0.0
    longest_gap_s: float = 0.0
    payments: int = 0
    ghost_rss_idle_mib: float = 0.0
    ghost_rss_peak_mib: float = 0.0
    ghost_kib_per_session: float = 0.0
    ghost_cpu_ms_per_session: float = 0.0

    @property
    def good(self) -> bool:
        return self.finished == self.sessions and self.least_share > 0


class Crowd:
    """All clients of one run."""

    def __init__(
        self,
        port: int,
        payer: ReadyPayer,
        count: int,
        on_halfway: Callable[[], None] = lambda: None,
    ) -> None:
        self.each = [Progress() for _ in range(count)]
        self.halfway: list[int] = []
        self._on_halfway = on_halfway
        self._port = port
        self._ghost = Identity(SEED).node_id
        self._expected = 0
        self._began = 0.0
        self._askers = [
            AskSession(self._open_stream, payer, FakeStore())  # type: ignore[arg-type]
            for _ in range(count)
        ]

    async def open(self) -> float:
        """Everybody opens a session and prepays a chunk at once; seconds until the last is in."""
        return await self._all(self._open_one)

    async def run(self, expected_bytes: int) -> float:
        """Everybody asks at once, for so many bytes; seconds until the last is through."""
        self._expected = expected_bytes * len(self.each)
        return await self._all(self._ask_one)

    async def _all(self, work: Callable[[int], Awaitable[None]]) -> float:
        self._began = trio.current_time()
        with trio.move_on_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                for number in range(len(self.each)):
                    nursery.start_soon(work, number)
        return trio.current_time() - self._began

    async def _open_one(self, number: int) -> None:
        try:
            await self._askers[number].open()
        except (Peer2PromptError, WalletError) as error:
            self.each[number].error = error.code

    async def _ask_one(self, number: int) -> None:
        progress, asker = self.each[number], self._askers[number]

        def note(event: AskEvent) -> None:
            progress.note(event, self._now())
            if not self.halfway and 2 * sum(p.bytes for p in self.each) >= self._expected:
                self.halfway = [p.bytes for p in self.each]
                self._on_halfway()

        progress.asked = self._now()
        try:
            await asker.ask(BODY, MODEL, {}, note)
            progress.done = True
        except (Peer2PromptError, WalletError) as error:
            progress.error = error.code
        await asker.aclose()

    def _now(self) -> float:
        return trio.current_time() - self._began

    async def _open_stream(self) -> SocketCircuit:
        stream = await trio.open_tcp_stream("127.0.0.1", self._port)
        tag = os.urandom(TAG_BYTES)
        await stream.send_all(tag)
        return SocketCircuit(stream, tag, self._ghost)


async def load(
    folder: Path, sessions: int, tokens: int, pause_ms: float, *, held: bool = False
) -> Report:
    """One run. Answers that are `held` stop half-way until half of all text has come: nobody gets
    more than a half before everybody has it, however fast the machine is."""
    with Children() as children:
        upstream = ["provider", str(tokens), str(pause_ms), *["held"] * held]
        provider, provider_port = _start(children, folder, upstream)
        _, mint_port = _start(children, folder, ["mint"])
        ports = (str(provider_port), str(mint_port))
        ghost, port = _start(children, folder, ["ghost", str(folder), *ports])
        pid = ghost.pid
        client = MintClient(f"http://127.0.0.1:{mint_port}", timeout_s=120.0)
        (head,) = await client.keysets()
        payer = ReadyPayer(client, await client.keyset(head))
        await payer.fill(15, sessions * (2 + tokens // 40))
        crowd = Crowd(port, payer, sessions, partial(_go_on, provider))
        report = Report(sessions, ghost_rss_idle_mib=rss_mib(pid))
        before = cpu_s([pid])
        peak = 0.0
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                nonlocal peak
                while True:
                    peak = max(peak, rss_mib(pid))
                    await trio.sleep(0.25)

            nursery.start_soon(watch)
            report.open_s = await crowd.open()
            report.seconds = await crowd.run(tokens * WORD_BYTES)
            nursery.cancel_scope.cancel()
        await client.aclose()
        _sum_up(report, crowd, tokens)
        report.payments = payer.payments
        report.ghost_rss_peak_mib = max(peak, rss_mib(pid))
        grown = report.ghost_rss_peak_mib - report.ghost_rss_idle_mib
        report.ghost_kib_per_session = grown * 1024 / sessions
        report.ghost_cpu_ms_per_session = (cpu_s([pid]) - before) * 1000 / sessions
    return report


def _start(children: Children, folder: Path, argv: Sequence[str]) -> tuple[Child, int]:
    child = children.start(
        [sys.executable, "-m", "bench.ghost_load_host", *argv], log=folder / f"{argv[0]}.log"
    )
    line = child.stdout.readline() if child.stdout is not None else ""
    if not line.strip().isdigit():
        raise BenchError(f"The {argv[0]} did not start.")
    return child, int(line)


def _go_on(provider: Child) -> None:
    """The answers that were held half-way go on."""
    if provider.stdin is not None:
        provider.stdin.write("\n")
        provider.stdin.flush()


def _sum_up(report: Report, crowd: Crowd, tokens: int) -> None:
    each = crowd.each
    report.finished = sum(progress.done for progress in each)
    report.errors = sorted({progress.error for progress in each if progress.error})
    report.tokens_per_s = report.finished * tokens / max(report.seconds, 1e-9)
    firsts = sorted(p.first - p.asked for p in each if p.first) or [0.0]
    report.first_word_p50_s = statistics.median(firsts)
    report.first_word_p99_s = firsts[int(len(firsts) * 0.99)]
    report.longest_gap_s = max(progress.longest_gap for progress in each)
    shares = crowd.halfway or [progress.bytes for progress in each]
    total, squares = sum(shares), sum(share * share for share in shares)
    report.jain_index = total * total / (len(shares) * squares) if squares else 0.0
    report.least_share = min(shares) * len(shares) / total if total else 0.0


def measure(sessions: int, tokens: int, pause_ms: float, *, held: bool = False) -> Report:
    """A run in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="p2p-load-") as folder:
        return trio.run(partial(load, held=held), Path(folder), sessions, tokens, pause_ms)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ghost_load", description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000, help="at once (1000)")
    parser.add_argument("--tokens", type=int, default=100, help="of each answer (100)")
    parser.add_argument("--pause-ms", type=float, default=50.0, help="between two tokens (50)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    started = time.monotonic()
    report = measure(args.sessions, args.tokens, args.pause_ms)
    print(f"{time.monotonic() - started:.0f} s in all", file=sys.stderr)
    found = asdict(report)
    print(json.dumps(found) if args.json else "\n".join(f"{k:26} {v}" for k, v in found.items()))
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
