"""Runs `peer2prompt demo` as its user does: a process of its own, with a terminal or without."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import is_alive, wait_until
from tui.demo.ports import free_port
from tui.demo.urls import answers

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "tui.cli.main")


def environment(temporary: Path, **more: str) -> dict[str, str]:
    """This environment without settings of ours; temporary files go where we can look."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PEER2PROMPT_")}
    for name in ("PEER2PROMPT_MINT_ENV", "PEER2PROMPT_PROVIDER_ENV"):
        if name in os.environ:
            clean[name] = os.environ[name]
    return {**clean, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), **more}


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for socket names."""
    with tempfile.TemporaryDirectory(prefix="p2p-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def run_demo(
    folder: Path, *options: str, text: str | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """`peer2prompt demo OPTIONS` to its end."""
    return subprocess.run(
        [*COMMAND, "demo", *options],
        cwd=folder,
        env=environment(folder, **env),
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
    )


def start_demo(folder: Path, *options: str, **env: str) -> subprocess.Popen[str]:
    """The same, still running; standard error goes to the file `stderr`."""
    with (folder / "stderr").open("w") as errors:
        return subprocess.Popen(
            [*COMMAND, "demo", *options],
            cwd=folder,
            env=environment(folder, **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def wait_for_line(folder: Path, text: str) -> None:
    """Wait until the demo started by `start_demo` said something."""
    wait_until(
        lambda: text in (folder / "stderr").read_text(),
        f"the demo says {text!r}",
        timeout_s=PATIENCE_S,
    )


def everyone(home: Path) -> dict[str, int]:
    """All processes of the demo with this home: each runs in the folder of its name."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_alive(int(entry.name)):
            with contextlib.suppress(OSError):
                where = Path(os.readlink(entry / "cwd"))
                if where.parent == home:
                    found[where.name] = int(entry.name)
    return found


@contextlib.contextmanager
def fake_provider(mode: str, *options: str) -> Iterator[str]:
    """The fake provider as a process; its base URL."""
    port = free_port("127.0.0.1")
    module = (sys.executable, "-m", "tests.helpers.provider_fake")
    command = (*module, "--port", str(port), "--mode", mode, *options)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            models = answers(f"http://127.0.0.1:{port}/v1/models")
            wait_until(models, "the fake provider answers")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


class ScreenDemo:
    """A demo with its TUI on a pseudo-terminal. Leaving the block hangs up the terminal."""

    def __init__(
        self, folder: Path, *options: str, through: tuple[str, ...] = (), **env: str
    ) -> None:
        self.home = folder / "home"
        self._text = bytearray()
        self._hung_up = threading.Event()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            [*through, *COMMAND, "demo", "--home", str(self.home), *options],
            cwd=folder,
            env=environment(folder, TERM="xterm-256color", **env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # Never blocked in read: the terminal hangs up only when nobody uses its master.
        with contextlib.suppress(OSError):
            while not self._hung_up.is_set():
                if select.select([self._master], [], [], 0.05)[0]:
                    self._text += os.read(self._master, 65536)

    @property
    def screen(self) -> str:
        return self._text.decode("utf-8", "replace")

    def wait_open(self) -> None:
        """Wait until the screen is up, or fail with what was said instead."""

        def opened() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"the demo ended: {self.screen[-2000:]}")
            return "\x1b[?1049h" in self.screen

        wait_until(opened, "the screen opens", timeout_s=PATIENCE_S)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def cli(self, *words: str, node: str = "client", timeout_s: float = PATIENCE_S) -> Any:
        """A command of the CLI against one of the demo's nodes: its JSON."""
        done = subprocess.run(
            [*COMMAND, "--home", str(self.home / node), "--json", *words],
            env=environment(self.home),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    def ask_slowly(self, text: str) -> subprocess.Popen[str]:
        """`peer2prompt ask`, running; its answer can be read as it comes."""
        return subprocess.Popen(
            [*COMMAND, "--home", str(self.home / "client"), "ask", text],
            env=environment(self.home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def hang_up(self) -> None:
        """Close the terminal, as a lost SSH connection does."""
        self._hung_up.set()
        self._reader.join()
        os.close(self._master)

    def close(self) -> None:
        if not self._hung_up.is_set():
            self.hang_up()
        try:
            self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            raise
