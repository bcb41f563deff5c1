"""The folder with a node's state: made when it is missing, tried before anything starts."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from engine.errors import ConfigError


def check_home(home: Path) -> None:
    """Make the folder if need be, and see that it can be written. Raises ConfigError."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=home, prefix=".try.")
        try:
            os.write(handle, b"?" * 4096)  # a full disk still makes empty files
        finally:
            os.close(handle)
            os.unlink(name)
    except OSError as error:
        raise _unusable(home, error) from error


def _unusable(home: Path, error: OSError) -> ConfigError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ConfigError(
            f"The disk with the node's folder {home} is full.",
            kept="Nothing was started; what is in the folder is as it was.",
            hint="Free some space and start the node again.",
        )
    return ConfigError(
        f"The node's folder {home} cannot be written: {error.strerror}.",
        kept="Nothing was started; what is in the folder is as it was.",
        hint=f"Make it writable for user {os.getuid()}, or choose another with --home. A systemd "
        "unit names it in StateDirectory= or ReadWritePaths=.",
    )
