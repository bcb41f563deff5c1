"""A supervisor for tests that treats a node as systemd does: told states, watchdog, restarts.

It keeps what it is told, kills a node that stops feeding the watchdog, and starts again what ended
badly. `call` speaks to a node's control socket.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from engine.control.client import connect
from engine.control.paths import control_socket
from tests.e2e.demo_process import environment
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import wait_until

NODE = (sys.executable, "-P", "-m", "engine")


def call(home: Path, method: str, **params: Any) -> Any:
    """One call to the node on this home, its result as plain values."""

    async def session() -> Any:
        async with connect(control_socket(home), client="test") as client:
            return await client.call(method, **params)

    return anyio.run(session)


class Supervisor:
    """Runs one node. Leaving the block ends it for good."""

    def __init__(
        self,
        folder: Path,
        home: Path,
        *,
        watchdog_s: float | None = None,
        program: Sequence[str] = NODE,
        through: Sequence[str] = (),
        abstract: bool = False,
        once: bool = False,
        **env: str,
    ) -> None:
        self.home = home
        self._path = folder / f"{home.name}.{secrets.token_hex(2)}.notify"
        self.states: list[dict[str, str]] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.output = folder / f"{home.name}.out"
        self._command = (*through, *program, "--home", str(home))
        self.watchdog_s = watchdog_s
        self._once = once
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"@peer2prompt-test-{os.getpid()}-{id(self)}" if abstract else ""
        address = address or str(self._path)
        self._socket.bind("\0" + address[1:] if abstract else address)
        self._socket.settimeout(0.2)
        self._env = environment(folder, NOTIFY_SOCKET=address, **env)
        if watchdog_s is not None:
            self._env["WATCHDOG_USEC"] = str(round(watchdog_s * 1_000_000))
        self._wanted = True
        self._fed = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Supervisor:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._wanted = False
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._thread.join(PATIENCE_S)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    # -- what a test does ------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start_again(self) -> None:
        """After it ended as it was told to."""
        self._thread.join(PATIENCE_S)
        before = len(self.starts)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.wait(lambda: len(self.starts) > before, "it is started")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def told(self, name: str) -> list[str]:
        """Every value of a state, in order."""
        return [state[name] for state in list(self.states) if name in state]

    def wait_ready(self, times: int = 1) -> None:
        """Wait until it has said for the so-manieth time that it serves."""
        wait_until(
            lambda: len(self.told("READY")) >= times,
            f"the node is ready, {times}: {self.said()[-600:]}",
            timeout_s=PATIENCE_S,
        )

    def wait_end(self) -> int:
        """Wait until its process has ended, and return the exit status."""
        wait_until(
            lambda: self.starts and len(self.ends) == len(self.starts),
            "the node ends",
            timeout_s=PATIENCE_S,
        )
        return self.ends[-1]

    def wait(self, fact: Callable[[], Any], what: str) -> None:
        wait_until(fact, what, timeout_s=PATIENCE_S)

    def said(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def error(self) -> dict[str, Any]:
        """The error it ended with."""
        lines = [line for line in self.said().splitlines() if line.startswith("error ")]
        found: dict[str, Any] = json.loads(lines[-1].removeprefix("error "))
        return found

    # -- what systemd does -----------------------------------------------------------------------

    def _run(self) -> None:
        while self._wanted:
            self._start()
            self._watch()
            if self._once or (self._process is not None and self._process.returncode == 0):
                return  # Restart=on-failure
            time.sleep(0.1)

    def _start(self) -> None:
        with self.output.open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self._env,
                start_new_session=True,
            )
        self._fed = 0.0
        self.starts.append(self._process.pid)

    def _watch(self) -> None:
        process = self._process
        assert process is not None
        while process.poll() is None:
            self._listen()
            late = self._fed and time.monotonic() - self._fed > (self.watchdog_s or 1e9)
            if late or not self._wanted:
                process.kill()
        self.ends.append(process.returncode)
        self._listen()

    def _listen(self) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                data = self._socket.recv(65536).decode()
                state = dict(line.split("=", 1) for line in data.splitlines())
                self.states.append(state)
                if "READY" in state or "WATCHDOG" in state:
                    self._fed = time.monotonic()
                if "WATCHDOG" in state:
                    return
