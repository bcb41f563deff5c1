"""One real mint, and Nutshell's own wallet as a program beside ours."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.mint import REPOSITORY, RealMint, mint_available

PROGRAM = REPOSITORY / ".venv-mint" / "bin" / "cashu"
LIMIT_S = 180


@dataclass
class Nutshell:
    """`cashu` on the command line, with a home of its own."""

    url: str
    home: Path

    def run(self, *args: str) -> str:
        """Its standard output; the test fails when it does."""
        done = subprocess.run(
            [str(PROGRAM), "-y", *args],
            cwd=self.home,
            env={
                "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                "HOME": str(self.home),
                "CASHU_DIR": str(self.home),
                "MINT_URL": self.url,
                "TOR": "FALSE",
                "DEBUG": "FALSE",
            },
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def balance(self) -> int:
        found = re.search(r"Balance: (\d+) sat", self.run("balance"))
        assert found is not None
        return int(found[1])

    def fund(self, amount: int) -> None:
        """In two steps: its wait for the payment sometimes misses it and lasts for ever."""
        found = re.search(r"--id (\S+)", self.run("invoice", str(amount), "--no-check"))
        assert found is not None
        self.run("invoice", str(amount), "--id", found[1])

    def send(self, amount: int, *options: str) -> str:
        found = re.search(r"cashu[AB]\S+", self.run("send", str(amount), *options))
        assert found is not None
        return found[0]

    def lock(self) -> str:
        """A public key of its own."""
        found = re.search(r"P2PK:(\w{66})", self.run("locks"))
        assert found is not None
        return found[1]


@pytest.fixture(scope="session")
def mint() -> Iterator[RealMint]:
    if not mint_available() or not PROGRAM.exists():
        pytest.skip("no .venv-mint: neither the mint nor its wallet can be started here")
    with RealMint() as running:
        yield running


@pytest.fixture
def nutshell(mint: RealMint, tmp_path: Path) -> Nutshell:
    home = tmp_path / "nutshell"
    home.mkdir()
    return Nutshell(mint.url, home)
