"""The demo network as processes, with its local API on, for foreign programs to ask.

Six relays, ghosts, a client, the real mint, and a provider that does as it is told
(provider_able.py). `DemoApi` tells where everything is and what everybody has.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from engine.control.client import connect
from engine.control.paths import control_socket
from tests.e2e.demo_process import COMMAND, ROOT, environment, short_folder
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import wait_until
from tests.helpers.provider_able import MODEL
from tui.demo.nodes import FUND_SAT
from tui.demo.ports import free_port
from tui.demo.urls import answers

GHOSTS = 4
FEATURES = "embeddings,images,json,tools"
EMBEDDER = "text-embedding-3-small"
STOP_S = 60.0


@dataclass
class DemoApi:
    """One running demo."""

    home: Path
    url: str
    provider: str
    first_key: str
    keys: dict[str, str] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """The key of a program, made when it is wanted first."""
        if name not in self.keys:
            self.keys[name] = self.call("api.key.new", name=name)["key"]
        return self.keys[name]

    def call(self, method: str, *, node: str = "client", **params: Any) -> Any:
        """A node's answer at its control socket."""

        async def ask() -> Any:
            where = control_socket(self.home / node)
            async with connect(where, client="tests", events=False) as client:
                return await client.call(method, **params)

        return anyio.run(ask)

    def seen(self) -> dict[str, Any]:
        """What the provider has counted."""
        with urllib.request.urlopen(f"{self.provider}/seen", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def settle(self) -> None:
        """Every session is left: unspent credit is back, each ghost is free for anybody."""
        wait_until(lambda: self._at_rest(), "no answer is under way")
        self.call("api.release", tag="")
        wait_until(lambda: self.call("api.tags") == [], "all tags are let go")

    def _at_rest(self) -> bool:
        return all(tag["under_way"] == 0 for tag in self.call("api.tags"))

    def purse_sat(self) -> int:
        """What the client's wallet holds."""
        mints = self.call("wallet.balance")["mints"]  # two, when a port was taken at the start
        assert all(mint["reserved_sat"] == mint["held_sat"] == 0 for mint in mints)
        return sum(int(mint["available_sat"]) for mint in mints)

    def ghosts(self) -> list[dict[str, Any]]:
        """What each ghost says of its earnings."""
        names = ["ghost", *(f"ghost{number}" for number in range(2, GHOSTS + 1))]
        return [self.call("earnings", node=name) for name in names]

    def earned_msat(self) -> int:
        """What all ghosts have billed."""
        return sum(int(one["total_msat"]) for one in self.ghosts())

    def check_money(self) -> None:
        """Nothing came from nowhere and nothing is lost: what the client has not, ghosts have
        billed, or it is credit there, less than a sat of each session, and nothing waits."""
        self.settle()
        ghosts = self.ghosts()
        billed, credit = (sum(int(o[k]) for o in ghosts) for k in ("total_msat", "credit_msat"))
        assert self.purse_sat() * 1000 + billed + credit == FUND_SAT * 1000


@contextlib.contextmanager
def demo_api() -> Iterator[DemoApi]:
    """Started and stopped; a failing start shows what the demo said."""
    port = free_port("127.0.0.1")
    provider = (sys.executable, "-m", "tests.helpers.provider_able", "--port", str(port))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        able = stack.enter_context(subprocess.Popen(provider, cwd=ROOT))
        stack.callback(able.kill)
        url = f"http://127.0.0.1:{port}/v1"
        wait_until(answers(f"{url}/models"), "the provider answers")
        command = [*COMMAND, "demo", "--home", str(folder / "home"), "--api", "--json"]
        command += ["--ghosts", str(GHOSTS), "--features", FEATURES]
        command += ["--provider-url", url, "--model", f"{MODEL},{EMBEDDER}"]
        errors = stack.enter_context((folder / "stderr").open("w+"))
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        stack.callback(_stop, process)
        said = _first_line(process)
        assert said, (folder / "stderr").read_text()
        told = json.loads(said)
        yield DemoApi(folder / "home", told["url"], url.removesuffix("/v1"), told["key"])


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    lines: list[str] = []

    def spoke() -> bool:
        assert process.stdout is not None
        lines.append(process.stdout.readline())
        return bool(lines[-1]) or process.poll() is not None

    wait_until(spoke, "the demo says where its API is", timeout_s=2 * PATIENCE_S)
    return lines[-1]


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
