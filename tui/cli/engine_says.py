"""Running one of the engine's small programs that answer with one JSON object, without a node."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tui.cli.failures import CliError


def engine_says(module: str, what: str, home: Path, *more: str) -> dict[str, Any]:
    """What `python -m MODULE WHAT --home HOME ...` prints; its error becomes ours."""
    command = [sys.executable, "-P", "-m", module, what, "--home", str(home)]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    if "error" in found:
        error = found["error"]
        raise CliError(
            error["message"],
            code=error["code"],
            exit_code=done.returncode,
            kept=error["kept"],
            hint=error["hint"],
        )
    return found
