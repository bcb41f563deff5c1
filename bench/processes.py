"""Child processes of a measurement: started so that they cannot outlive it, watched for cost.

Linux only (it reads /proc). Every child gets a parent-death signal and a session of its own, so
that it ends when the measurement is killed and Ctrl+C reaches only the measurement, which stops its
children in order.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STOP_GRACE_S = 3.0


class BenchError(Exception):
    """Something a measurement needs did not work; the message is for its user."""


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Children:
    """Every process that was started; leaving the context stops them all."""

    def __init__(self) -> None:
        self._all: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Start a child with pipes for its input and output; its errors go to `log`."""
        with log.open("ab") as errors:
            child = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=None if env is None else dict(env),
                cwd=cwd,
                text=True,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._all.append(child)
        return child

    def stop(self) -> None:
        """Ask every child to end, then insist."""
        for child in self._all:
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        for child in self._all:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            if child.poll() is None:
                child.kill()
                child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self._all.clear()


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds, user and system, that these processes have used so far."""
    return sum(_cpu_of(pid) for pid in pids)


def _cpu_of(pid: int) -> float:
    try:
        times = [
            int((task / "schedstat").read_text().split()[0])
            for task in Path(f"/proc/{pid}/task").iterdir()
        ]
        if any(times):
            return sum(times) / 1e9
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError) as error:
        raise BenchError(f"Process {pid} ended while it was being measured.") from error
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise BenchError(f"Process {pid} has no memory to measure.")


def free_port(host: str) -> int:
    """A port that was free on `host` a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
