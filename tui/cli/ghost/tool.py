"""The engine's setup tool as a process: one JSON object in, one out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tui.cli.engine_says import engine_says


def run_tool(home: Path, what: str, **given: Any) -> dict[str, Any]:
    """What the tool answers. What is given goes over its standard input, keys too."""
    return engine_says("engine.exit.setup_tool", what, home, given=given)
