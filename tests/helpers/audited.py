"""Runs processes under an audit hook that notes every address they connect to or look up.

Python calls an audit hook for each `connect`, `sendto` and name look-up that goes through its
socket module, on every thread. The hook is loaded by the interpreter before any of our code
(`sitecustomize` on PYTHONPATH), so it sees all of a process's life.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

EVENTS = (
    "socket.connect",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.getnameinfo",
)
HOOK = """
import json, os, sys

FOLDER, EVENTS = {folder!r}, {events!r}

def _note(event, args):
    if event not in EVENTS:
        return
    target = args[1] if event in ("socket.connect", "socket.sendto", "socket.sendmsg") else args[0]
    where = list(target) if isinstance(target, tuple) else target
    line = json.dumps([event, where if isinstance(where, (list, str)) else str(where)])
    with open(os.path.join(FOLDER, str(os.getpid())), "a") as notes:
        notes.write(line + chr(10))

sys.addaudithook(_note)
"""


@dataclass(frozen=True)
class Noted:
    """One call that the hook saw."""

    event: str
    target: str  # a host, a name that was looked up, or the path of a Unix socket


class Audit:
    """A folder in which every process that is started with `environment` notes its calls."""

    def __init__(self, folder: Path) -> None:
        self._notes = folder / "notes"
        self._code = folder / "code"
        self._notes.mkdir(parents=True)
        self._code.mkdir()
        hook = HOOK.format(folder=str(self._notes), events=EVENTS)
        (self._code / "sitecustomize.py").write_text(hook)

    def environment(self, python_path: str) -> dict[str, str]:
        """What a process needs in its environment to be noted."""
        return {"PYTHONPATH": os.pathsep.join([str(self._code), python_path])}

    def noted(self, pid: int) -> list[Noted]:
        """What a process has done so far."""
        try:
            lines = (self._notes / str(pid)).read_text().splitlines()
        except FileNotFoundError:
            return []
        return [Noted(event, _target(where)) for event, where in map(json.loads, lines)]


def _target(where: list[object] | str) -> str:
    return where if isinstance(where, str) else str(where[0])
