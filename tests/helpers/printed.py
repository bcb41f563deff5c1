"""What a program of this source prints as one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.helpers.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]


def printed(module: str, *options: str) -> Any:
    """Run the module to its end, which must be a good one."""
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(done.stdout)
