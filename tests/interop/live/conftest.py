"""The demo network that all tests of this folder share, and programs from `.venv-tools`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.demo_api import DemoApi, demo_api
from tests.helpers.mint import REPOSITORY, mint_available

TOOLS = REPOSITORY / ".venv-tools" / "bin"
LIMIT_S = 120


@pytest.fixture(scope="package")
def demo() -> Iterator[DemoApi]:
    if not mint_available():
        pytest.skip("no .venv-mint: the mint cannot be started here")
    with demo_api() as running:
        yield running


@dataclass
class Tools:
    """Programs of others in an environment of their own, with nothing of ours to import."""

    demo: DemoApi
    home: Path

    def run(
        self, program: str, *args: str, key: str = "tools", typed: str = "", code: int = 0
    ) -> str:
        """What it writes on standard output; on standard error when it fails as it should."""
        done = subprocess.run(
            [str(TOOLS / program), *args],
            cwd=self.home,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(self.home),
                "LLM_USER_PATH": str(self.home / "llm"),
                "OPENAI_BASE_URL": self.demo.url,
                "OPENAI_API_KEY": self.demo.key(key),
                "ANTHROPIC_BASE_URL": self.demo.url.removesuffix("/v1"),
                "ANTHROPIC_API_KEY": self.demo.key(key),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            input=typed,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr if code else done.stdout


@pytest.fixture
def tools(demo: DemoApi, tmp_path: Path) -> Tools:
    if not TOOLS.exists():
        pytest.skip("no .venv-tools: run `make tools-env`")
    return Tools(demo, tmp_path)
