"""A pseudo-terminal with one program in it, read by a thread: what was written, and when.

Linux only. The program is killed when the terminal is closed.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from bench.processes import BenchError

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 30.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class PtyProgram:
    """Runs `argv` in a terminal of `columns` x `rows` and keeps what it wrote."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], columns: int, rows: int
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=ROOT, start_new_session=True
        )
        os.close(slave)
        self._news = threading.Condition()
        self._written = bytearray()
        self._closing = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> PtyProgram:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._closing = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        os.close(self._master)

    @property
    def written(self) -> int:
        """Bytes written to the terminal so far."""
        with self._news:
            return len(self._written)

    def type(self, text: str) -> int:
        """Press keys; returns how much had been written to the terminal before."""
        before = self.written
        os.write(self._master, text.encode())
        return before

    def until(self, word: str, since: int = 0) -> float:
        """`time.perf_counter()` when `word` was on the terminal, looked for from byte `since`."""
        wanted, deadline = word.encode(), time.perf_counter() + PATIENCE_S
        with self._news:
            while wanted not in self._written[since:]:
                left = deadline - time.perf_counter()
                if left <= 0 or not self._news.wait(left):
                    tail = bytes(self._written[-300:])
                    raise BenchError(f"{word!r} was not painted in {PATIENCE_S:.0f} s: {tail!r}")
            return time.perf_counter()

    def cpu_s(self) -> float:
        """Processor time the program has used, in seconds."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def rss_mb(self) -> float:
        """Resident memory of the program in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _read(self) -> None:
        while not self._closing:
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:  # EIO: the program is gone
                return
            with self._news:
                self._written += data
                self._news.notify_all()
