"""Running one of the engine's small programs that answer with one JSON object, without a node."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tui.cli.failures import CliError


def engine_says(
    module: str, what: str, home: Path, *more: str, given: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What `python -m MODULE WHAT --home HOME ...` prints; its error becomes ours. What is given
    goes over its standard input, keys too."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, what, "--home", str(home), *more],
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise CliError(
            "A program of the engine ended without an answer.",
            code="internal",
            exit_code=1,
            kept="Nothing was changed.",
            hint="Try again.",
        ) from None
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
