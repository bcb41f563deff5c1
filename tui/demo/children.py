"""One process of the demo: how it is started, what it reported, how it is stopped.

Output goes to a log file, never to a pipe, so a child can neither block on us nor die of a broken
pipe. Every child is started by the trampoline in a session of its own: Ctrl+C in the terminal
reaches only the demo, which stops its children in order.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tui.demo import keeper as keeper_script
from tui.demo import trampoline
from tui.demo.errors import DemoError

_LOG_TAIL_BYTES = 64 * 1024
_ADDRESS_IN_USE: dict[str, object] = {
    "code": "address_in_use",
    "message": "Its port is in use.",
    "hint": "Stop the program that uses the port, or start the demo again.",
    "exit_code": 9,
}


@dataclass(frozen=True)
class Spec:
    """What to run. `probe` says whether it serves; None waits for its line `ready {json}`."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    probe: Callable[[], bool] | None = None
    grace_s: float = 10.0
    ready_timeout_s: float = 180.0


@dataclass
class Report:
    """What a child said about itself on its standard output since its last start."""

    ready: dict[str, object] | None = None
    error: dict[str, object] | None = None
    tail: list[str] = field(default_factory=list)


class Keeper:
    """The process that clears up when the demo itself is killed; see `keeper.py`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._said: list[list[object]] = []

    def say(self, *words: object) -> None:
        """Tell the keeper; start it, or start it anew when somebody killed it."""
        if words[0] == "gone":
            self._said = [said for said in self._said if said[1:] != list(words[1:])]
        else:
            self._said.append(list(words))
        if not self._write([list(words)]):
            self._start()
            self._write(self._said)

    def bye(self) -> None:
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.write('["bye"]\n')
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2)

    def _start(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # flushes what it never read
            self._process.wait()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper_script.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def _write(self, lines: list[list[object]]) -> bool:
        if self._process is None or self._process.stdin is None:
            return False
        try:
            self._process.stdin.writelines(json.dumps(line) + "\n" for line in lines)
            self._process.stdin.flush()
        except OSError:
            return False
        return True


class Child:
    """A running (or ended) process made from a Spec."""

    def __init__(self, spec: Spec, keeper: Keeper) -> None:
        self.spec = spec
        self._keeper = keeper
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it. Must be called from a thread that lives as long as the demo: the kernel sends
        the parent-death signal when the starting thread ends."""
        spec = self.spec
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(spec.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._log_start = os.fstat(descriptor).st_size
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", trampoline.__file__, str(os.getpid()), *spec.argv],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                cwd=spec.cwd,
                env=dict(spec.env),
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self._keeper.say("child", self._process.pid)

    def exit_status(self) -> int | None:
        """The exit status once it has ended, else None."""
        return self._process.poll() if self._process else 0

    def is_ready(self) -> bool:
        if self.spec.probe is not None:
            return self.spec.probe()
        return self.report().ready is not None

    def report(self) -> Report:
        """Read what it printed since it was started."""
        report = Report()
        try:
            with self.spec.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, size - _LOG_TAIL_BYTES))
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return report
        for line in lines:
            word, _, rest = line.partition(" ")
            if word in ("ready", "error") and rest.startswith("{"):
                with contextlib.suppress(ValueError):
                    setattr(report, word, json.loads(rest))
        report.tail = lines[-5:]
        return report

    def failure(self) -> DemoError:
        """Why it ended, in its own words when it gave any."""
        report = self.report()
        error = report.error or {}
        if not error and any("address already in use" in line.lower() for line in report.tail):
            error = _ADDRESS_IN_USE
        exit_code = error.get("exit_code")
        sentence = str(error.get("message") or f"It ended with status {self.exit_status()}.")
        return DemoError(
            f"The demo's {self.name} could not run: {sentence}",
            kept=str(error.get("kept") or ""),
            hint=str(error.get("hint") or f"Its output is in {self.spec.log}."),
            code=str(error.get("code") or "demo"),
            exit_code=exit_code if isinstance(exit_code, int) else 1,
        )

    def signal(self, number: signal.Signals) -> None:
        """Signal its whole process group, as long as it has not been waited for."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def reap(self, timeout_s: float) -> bool:
        """Wait for its end; True when it has ended."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout=max(timeout_s, 0))
        except subprocess.TimeoutExpired:
            return False
        self._keeper.say("gone", self._process.pid)
        return True
