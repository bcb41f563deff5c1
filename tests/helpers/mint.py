"""A real Cashu mint (Nutshell) for tests, in an environment of its own.

`RealMint` starts and stops the mint process; it never shares the caller's environment, working
directory or home, because the mint reads all three. It lives in `.venv-mint` beside the tests (or
where `PEER2PROMPT_MINT_BIN` points); `mint_available()` says whether it can be started at all.
`tests.helpers.mint_proxy` puts a lying, losing proxy in front of it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[2]
START_LIMIT_S = 120.0
FIRST_PORT, PORTS_EACH, WORKERS = 14_000, 1_000, 6
STOP_LIMIT_S = 5.0
PR_SET_PDEATHSIG = 1


def mint_binary() -> Path:
    """Where the mint's start script is expected."""
    override = os.environ.get("PEER2PROMPT_MINT_BIN")
    return Path(override) if override else REPOSITORY / ".venv-mint" / "bin" / "mint"


def mint_available() -> bool:
    return mint_binary().exists()


def free_port() -> int:
    """A loopback port nobody listens on now: below those that the kernel hands out and those that
    the demo takes, in a range of this pytest worker's own, as it will be listened on seconds later.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    for _ in range(200):
        port = FIRST_PORT + worker * PORTS_EACH + random.randrange(PORTS_EACH)
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port for a mint")


def _die_with_parent() -> None:
    """Runs in the child: the kernel ends the mint when the thread that started it is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class RealMint:
    """One mint process. `start()` returns when it answers, `stop()` ends its process group.

    `settings` go into its environment over the defaults below, for example
    `RealMint(FAKEWALLET_BRR="FALSE")`. A restart (`stop()`, change `settings`, `start()`) keeps
    keys, database and port.
    """

    def __init__(
        self,
        *,
        input_fee_ppk: int = 0,
        port: int | None = None,
        program: Path | None = None,
        **settings: str,
    ) -> None:
        """`program` is run by the mint's Python in place of its own start script."""
        python = mint_binary().parent / "python"
        self._command = [str(mint_binary())] if program is None else [str(python), str(program)]
        self.port = port or free_port()
        self.settings: dict[str, str] = {"MINT_INPUT_FEE_PPK": str(input_fee_ppk), **settings}
        self.home = Path(tempfile.mkdtemp(prefix="p2p-mint-"))
        self._key = f"test mint {random.randrange(1 << 62)}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def books(self) -> Path:
        """The mint's own database, for tests that compare what it owes with what wallets hold."""
        return self.home / "mint" / "mint.sqlite3"

    @property
    def log(self) -> str:
        """What the mint wrote, for the message of a failed test."""
        path = self.home / "mint.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Self:
        if self._process is not None:
            raise RuntimeError("the mint is already started")
        # PDEATHSIG follows the starting thread, so a worker thread must not ask for it.
        main = threading.current_thread() is threading.main_thread()
        with (self.home / "mint.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.home,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent if main and sys.platform == "linux" else None,
            )
        atexit.register(self.stop)
        self._wait_until_it_answers()
        return self

    def stop(self) -> None:
        """SIGTERM, then SIGKILL to the whole process group. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._kill_group(process)

    def kill(self) -> None:
        """As if the machine lost power: SIGKILL, nothing is flushed by the process."""
        process, self._process = self._process, None
        if process is not None:
            atexit.unregister(self.stop)
            self._kill_group(process)

    def remove(self) -> None:
        """Stop and delete keys and database."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    @staticmethod
    def _kill_group(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.home),
            "CASHU_DIR": str(self.home),
            "MINT_DATABASE": str(self.home / "mint"),
            "MINT_PRIVATE_KEY": self._key,
            "MINT_BACKEND_BOLT11_SAT": "FakeWallet",
            "MINT_LISTEN_HOST": "127.0.0.1",
            "MINT_LISTEN_PORT": str(self.port),
            "MINT_RATE_LIMIT": "FALSE",
            "TOR": "FALSE",
            "DEBUG": "FALSE",
            "LOG_LEVEL": "WARNING",
            "FAKEWALLET_DELAY_OUTGOING_PAYMENT": "0",
            "FAKEWALLET_DELAY_INCOMING_PAYMENT": "0",
            **self.settings,
        }

    def _wait_until_it_answers(self) -> None:
        # The one place that polls: another program's start has no event to wait for.
        pause = threading.Event()
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                self.stop()
                raise RuntimeError(f"the mint ended while starting:\n{self.log[-2000:]}")
            with contextlib.suppress(OSError, urllib.error.URLError, ValueError):
                with urllib.request.urlopen(f"{self.url}/v1/keysets", timeout=5) as answer:
                    json.load(answer)
                return
            pause.wait(0.1)
        self.stop()
        raise RuntimeError(f"the mint gave no answer in {START_LIMIT_S:.0f} s")
