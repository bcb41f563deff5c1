"""Where the node keeps its state and where its control socket lies.

Shared by the node and by every program that talks to it, so it knows nothing of either: it only
computes paths from the environment and touches no file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

HOME_VARIABLE = "PEER2PROMPT_HOME"
APP_NAME = "peer2prompt"

MAX_SOCKET_PATH = 100
"""Longest path used for a Unix socket, in bytes: Linux allows 107, the BSDs and macOS 103."""


def default_home() -> Path:
    """The state folder: `$PEER2PROMPT_HOME`, else the platform's folder for user data."""
    named = os.environ.get(HOME_VARIABLE, "")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))


def control_socket(home: Path | str) -> Path:
    """The control socket of the node whose state is under `home`.

    It lies in the home; a home whose path is too long for a socket gets a name made from the hash
    of that path in the user's run-time folder, so both sides still find the same place.
    """
    home = Path(os.path.abspath(Path(home).expanduser()))
    inside = home / "run" / "control.sock"
    if len(os.fsencode(inside)) <= MAX_SOCKET_PATH:
        return inside
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16] + ".sock"
    folder = f"{APP_NAME}-{os.getuid()}"
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir()):
        path = Path(base) / folder / name
        if base and path.is_absolute() and len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
    return Path("/tmp") / folder / name
