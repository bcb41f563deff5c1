"""One real mint; Nutshell's own wallet and cashu-ts as programs beside ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.mint import REPOSITORY, RealMint, mint_available

PROGRAM = REPOSITORY / ".venv-mint" / "bin" / "cashu"
LIMIT_S = 180
CASHU_TS = Path(__file__).parent / "cashu_ts"
INSTALLED = REPOSITORY / ".cache" / "cashu-ts"

REQUEST = """
import sys
from cashu.core.base import NUT10Option, PaymentRequest
from cashu.core.nuts.nut18 import serialize
amount, mint, key = sys.argv[1:]
lock = NUT10Option(k="P2PK", d=key, t=[])
print(serialize(PaymentRequest(i="a1", a=int(amount), u="sat", s=True, m=[mint], nut10=lock)))
"""


def found_token(shown: str) -> str:
    """The token in what a program printed."""
    found = re.search(r"cashu[AB]\S+", shown)
    assert found is not None, shown
    return found[0]


@dataclass
class Nutshell:
    """`cashu` on the command line, with a home of its own."""

    url: str
    home: Path

    def run(self, *args: str, typed: str = "") -> str:
        """Its standard output, after `typed` on its standard input; the test fails when it does."""
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
            input=typed,
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
        return found_token(self.run("send", str(amount), *options))

    def request(self, amount: int, key: str) -> str:
        """A payment request (NUT-18) by its library, locked to `key`."""
        done = subprocess.run(
            [str(PROGRAM.with_name("python")), "-c", REQUEST, str(amount), self.url, key],
            cwd=self.home,
            env={"HOME": str(self.home), "CASHU_DIR": str(self.home)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lock(self) -> str:
        """A public key of its own."""
        found = re.search(r"P2PK:(\w{66})", self.run("locks"))
        assert found is not None
        return found[1]


@dataclass
class CashuTs:
    """cashu-ts under Node, each command a process; its coins are in a file."""

    url: str
    file: Path

    @classmethod
    def new(cls, url: str, folder: Path, seed: bytes) -> CashuTs:
        """A wallet of this seed (BIP-39, 64 bytes) without coins."""
        file = folder / "cashu-ts.json"
        file.write_text(json.dumps({"seed": seed.hex(), "proofs": [], "counters": {}}))
        return cls(url, file)

    def run(self, command: str, *args: str | int) -> Any:
        """What it answers; the test fails when it does."""
        done = subprocess.run(
            ["node", "wallet.mjs", self.url, str(self.file), command, *map(str, args)],
            cwd=INSTALLED,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


def install_cashu_ts() -> None:
    """Skips the test where Node or the package is not to be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node: cashu-ts cannot be started here")
    lock = (CASHU_TS / "package-lock.json").read_text()
    INSTALLED.mkdir(parents=True, exist_ok=True)
    shutil.copy(CASHU_TS / "wallet.mjs", INSTALLED)
    stamp = INSTALLED / "installed"
    if stamp.exists() and stamp.read_text() == lock:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CASHU_TS / name, INSTALLED)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=INSTALLED,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("cashu-ts could not be installed: " + done.stderr[-500:])
    stamp.write_text(lock)


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


@pytest.fixture
def cashu_ts(mint: RealMint, tmp_path: Path) -> CashuTs:
    install_cashu_ts()
    return CashuTs.new(mint.url, tmp_path, os.urandom(64))
