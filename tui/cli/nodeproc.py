"""A node as a child process: started, waited for until it serves, stopped at the end.

The node prints `ready {json}` on its standard output when it serves, or `error {json}` before it
gives up. Its output goes to a file, so that it never waits for us to read. A passphrase travels
over a pipe the child inherits, never in its arguments or its environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.cli.failures import INTERNAL, NODE, CliError

START_TIMEOUT_S = 60.0
STOP_GRACE_S = 10.0
_POLL_S = 0.02


@dataclass(frozen=True)
class NodeProcess:
    """A node that serves, and what it said when it was ready."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Let it drain, then end it; returns when it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def node_command(
    home: Path, *, config: Path | None = None, passphrase_fd: int | None = None
) -> list[str]:
    """The command line of a node. `-P` keeps the current folder out of the module path."""
    command = [sys.executable, "-P", "-m", "engine", "--home", str(home)]
    if config is not None:
        command += ["--config", str(config)]
    if passphrase_fd is not None:
        command += ["--passphrase-fd", str(passphrase_fd)]
    return command


def passphrase_pipe(passphrase: str) -> int:
    """The reading end of a pipe that holds the passphrase and then ends."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(passphrase.encode())
    return reader


def start_node(
    home: Path,
    *,
    config: Path | None = None,
    passphrase: str | None = None,
    keep: bool = False,
    timeout_s: float = START_TIMEOUT_S,
    command: Sequence[str] | None = None,
) -> NodeProcess:
    """Start a node and wait until it serves. With `keep` it outlives this process.

    Raises `CliError` with the node's own words when it gives up.
    """
    reader = None if passphrase is None else passphrase_pipe(passphrase)
    try:
        output = _output_file(home)
        with output.open("wb") as out:
            process = subprocess.Popen(
                command or node_command(home, config=config, passphrase_fd=reader),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=None if _debug() else subprocess.DEVNULL,
                env=_environment(keep),
                pass_fds=() if reader is None else (reader,),
                start_new_session=True,
            )
    finally:
        if reader is not None:
            os.close(reader)
    try:
        ready = _wait_ready(process, output, timeout_s)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return NodeProcess(process, ready)


@contextlib.contextmanager
def running_node(home: Path, **options: Any) -> Iterator[NodeProcess]:
    """A node for the length of the block; with `keep=True` it is left running."""
    node = start_node(home, **options)
    try:
        yield node
    finally:
        if not options.get("keep"):
            node.stop()


def _wait_ready(process: subprocess.Popen[bytes], output: Path, timeout_s: float) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    while True:
        ended = process.poll()
        for line in output.read_bytes().split(b"\n")[:-1]:
            if line.startswith(b"ready "):
                return _object(line[6:])
            if line.startswith(b"error "):
                raise _node_error(_object(line[6:]))
        if ended is not None:
            raise CliError(
                f"The node stopped before it was ready (exit status {ended}).",
                code="node_start",
                exit_code=ended if 0 < ended < 10 else INTERNAL,
                hint="Run `peer2prompt node` to see what it says; its log lies in the home.",
            )
        if time.monotonic() > deadline:
            raise CliError(
                f"The node was not ready after {timeout_s:.0f} seconds, so it was ended.",
                code="node_start",
                exit_code=NODE,
                hint="Its log lies in the log folder of the home.",
            )
        time.sleep(_POLL_S)


def _output_file(home: Path) -> Path:
    """Where the child's output goes, private to the user."""
    folder = home / "run"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "node.out"
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as exc:
        raise CliError(
            f"The state folder {home} cannot be written: {exc.strerror}.",
            code="home",
            exit_code=2,
            hint="Choose another with --home.",
        ) from exc
    return path


def _environment(keep: bool) -> dict[str, str]:
    environment = dict(os.environ)
    environment.pop("PEER2PROMPT_PARENT_PID", None)
    if not keep:
        environment["PEER2PROMPT_PARENT_PID"] = str(os.getpid())
    return environment


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def _node_error(error: dict[str, Any]) -> CliError:
    exit_code = error.get("exit_code")
    return CliError(
        str(error.get("message") or "The node could not start."),
        code=str(error.get("code") or "node_start"),
        exit_code=exit_code if isinstance(exit_code, int) else INTERNAL,
        kept=str(error.get("kept") or ""),
        hint=str(error.get("hint") or ""),
    )


def _debug() -> bool:
    return os.environ.get("PEER2PROMPT_DEBUG") == "1"
