"""Clears up after a demo that was killed.

Run as a script with a pipe from the demo as standard input. Each line is a JSON list:
`["child", PID]`, `["gone", PID]`, `["folder", PATH]` (a temporary folder to remove) or `["bye"]`
(the demo cleared up itself). When the pipe ends without `bye`, the demo is dead: the process
groups get SIGTERM, those that stay SIGKILL, and the folders go. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time

GRACE_S = 3.0
POLL_S = 0.05


def started_at(pid: int) -> str | None:
    """A process's start time in clock ticks: a pid that was given out again has another."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def send(children: dict[int, str | None], number: signal.Signals) -> None:
    for pid, start in children.items():
        if start is not None and started_at(pid) == start:
            try:
                os.killpg(pid, number)
            except (ProcessLookupError, PermissionError):
                continue


def alive(children: dict[int, str | None]) -> bool:
    return any(start is not None and started_at(pid) == start for pid, start in children.items())


def clear_up(children: dict[int, str | None], folders: set[str]) -> None:
    send(children, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while alive(children) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    send(children, signal.SIGKILL)
    deadline = time.monotonic() + GRACE_S
    while alive(children) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    children: dict[int, str | None] = {}
    folders: set[str] = set()
    for line in sys.stdin:
        word, *rest = json.loads(line)
        if word == "bye":
            return 0
        if word == "child":
            children[rest[0]] = started_at(rest[0])
        elif word == "gone":
            children.pop(rest[0], None)
        elif word == "folder":
            folders.add(rest[0])
    clear_up(children, folders)
    return 0


if __name__ == "__main__":
    sys.exit(main())
