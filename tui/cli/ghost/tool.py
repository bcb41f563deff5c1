"""The engine's setup tool as a process: one JSON object in, one out; its errors become ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tui.cli.failures import CliError


def run_tool(home: Path, what: str, **given: Any) -> dict[str, Any]:
    """What the tool answers. What is given goes over its standard input, keys too."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "engine.exit.setup_tool", what, "--home", str(home)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise CliError(
            "The setup tool ended without an answer.",
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
