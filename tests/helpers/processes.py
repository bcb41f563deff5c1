"""Helpers for tests that start real processes: waiting for a fact, and seeing who is alive."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.helpers.patience import PATIENCE_S

T = TypeVar("T")


def wait_until(fact: Callable[[], T], what: str, *, timeout_s: float = PATIENCE_S) -> T:
    """Poll until `fact()` is true and return its value; the deadline only ends a broken test."""
    deadline = time.monotonic() + timeout_s
    while not (value := fact()):
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out: {what}")
        time.sleep(0.02)
    return value


def is_alive(pid: int) -> bool:
    """True for a process that exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes_of(folder: Path) -> dict[int, str]:
    """Live processes that run in a folder or name it on their command line, this one left out."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = Path(os.readlink(entry / "cwd"))
        except OSError:
            continue
        named = str(folder) in command or where.is_relative_to(folder)
        if named and is_alive(int(entry.name)):
            found[int(entry.name)] = command
    return found
