"""Our wheel and source archive, built from what git tracks, and programs run beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def clean_environment(**more: str) -> dict[str, str]:
    """This environment without what would lend our source or settings to another program."""
    ours = ("PYTHON", "PEER2PROMPT", "PIPX", "VIRTUAL_ENV")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(ours)}, **more}


def run(
    *command: str | Path, cwd: Path, timeout_s: float = 120, **env: str
) -> subprocess.CompletedProcess[str]:
    """A program to its end, in a clean environment."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment(**env),
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def tracked_files() -> set[str]:
    """Every path that git tracks."""
    listed = run("git", "ls-files", "-z", cwd=ROOT)
    assert listed.returncode == 0, listed.stderr
    return set(listed.stdout.split("\0")) - {""}


def export_tracked(folder: Path) -> Path:
    """A copy of what git tracks and nothing else, so that a forgotten file shows."""
    export = run("git", "checkout-index", "-a", f"--prefix={folder}/", cwd=ROOT)
    assert export.returncode == 0, export.stderr
    return folder


def build(source: Path, out: Path, *targets: str) -> Path:
    """Build the targets (both unless named) into `out`, which is returned."""
    wanted = [part for target in targets for part in ("-t", target)]
    built = run(sys.executable, "-m", "hatchling", "build", *wanted, "-d", out, cwd=source)
    assert built.returncode == 0, built.stdout + built.stderr
    return out
