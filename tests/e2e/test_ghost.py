"""A ghost from `ghost setup` to its payout, by real processes: setup, node, a client that asks,
earnings, a pause, and ecash melted to a Lightning address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.control.client import connect
from engine.control.paths import control_socket
from tests.e2e.demo_process import (
    COMMAND,
    ROOT,
    ScreenDemo,
    environment,
    fake_provider,
    short_folder,
)
from tests.helpers.lnurl import ADDRESS, LnurlHost, lnurl_host
from tests.helpers.mint import mint_available
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import wait_until
from tui.demo.home import to_toml
from tui.demo.ports import free_port

PRICE = 4_000_000_000  # four sat a token, so that one answer is worth a payout
MODEL = "fake-model"
# Stands in for DNS and TLS: the address's host is a server on this machine.
SITE = """
import httpx
_real = httpx.AsyncHTTPTransport.handle_async_request
async def _handle(self, request):
    if request.url.host == "pay.example":
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port={port})
        request = httpx.Request(request.method, url)
    return await _real(self, request)
httpx.AsyncHTTPTransport.handle_async_request = _handle
"""


class Ghost:
    """Our ghost's home and process beside the demo's nodes."""

    def __init__(self, folder: Path, demo: ScreenDemo, provider: str, host: LnurlHost) -> None:
        self.home = folder / "mine"
        self.home.mkdir()
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITE.format(port=host.port))
        self.env = environment(folder, PYTHONPATH=f"{site}{os.pathsep}{ROOT}")
        self.provider = provider
        theirs = tomllib.loads((demo.home / "ghost" / "config.toml").read_text())
        self.mint = theirs["ghost"]["mints"][0]
        own = {"store": {"key_file": "store.key"}, "network": theirs["network"]}
        text = "# made by hand\n" + to_toml(own)
        (self.home / "config.toml").write_text(text)

    def cli(self, *words: str) -> Any:
        done = subprocess.run(
            [*COMMAND, "--home", str(self.home), "--json", *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    def words(self, *words: str) -> str:
        """What a person reads."""
        done = subprocess.run(
            [*COMMAND, "--home", str(self.home), *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set_up(self) -> Any:
        address = f"127.9.0.1:{free_port('127.9.0.1')}"
        return self.cli(
            *("ghost", "setup", "--yes", "--kind", "openai", "--url", self.provider, "--check"),
            *("--no-key", "--models", MODEL, "--mode", "fixed", "--fixed"),
            *(f"{MODEL}={PRICE}:{PRICE}", "--mint", self.mint, "--listen", address),
            *("--payout-address", ADDRESS, "--threshold", "100000", "--jurisdiction", "CH"),
        )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-P", "-m", "engine", "--home", str(self.home)]
        with subprocess.Popen(
            command, env=self.env, cwd=self.home, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline().startswith("ready")
                yield process
            finally:
                process.terminate()
                process.wait(20)


async def _ask_around(home: Path) -> None:
    """A client looks for news twice an hour; here it does so at once."""
    async with connect(control_socket(home)) as client:
        await client.call("directory.reload")


def test_from_setup_to_payout() -> None:
    if not mint_available():
        pytest.skip("no .venv-mint: the real mint cannot be started here")
    with fake_provider("normal") as provider, lnurl_host() as host, short_folder() as folder:
        demo = ScreenDemo(folder, "--provider-url", provider, "--model", MODEL)
        try:
            demo.wait_open()
            ghost = Ghost(folder, demo, provider, host)
            assert ghost.set_up()["written"]
            assert "# made by hand" in (ghost.home / "config.toml").read_text()
            with ghost.running():
                _earn_and_pay_out(demo, ghost)
        finally:
            demo.press("\x11")
            demo.close()


def _look_around(ghost: Ghost) -> None:
    """What its operator reads and changes while it runs."""
    assert MODEL in ghost.words("ghost", "status")
    assert ADDRESS in ghost.words("ghost", "payout", "--list")
    assert "day (UTC)" in ghost.words("earnings")
    ghost.words("ghost", "prices", "--fixed", f"{MODEL}=1000000000:{PRICE}")
    assert ghost.cli("ghost", "prices")["models"][0]["in_price"] == 10**9
    assert "700000" in ghost.words("ghost", "caps", "--tokens-per-day", "700000", "--queue", "9")
    assert ghost.cli("ghost", "caps")["queue"] == 9
    assert "DE" in ghost.words("ghost", "policy", "--jurisdiction", "DE")
    text = (ghost.home / "config.toml").read_text()
    assert "# made by hand" in text
    assert 'jurisdiction = "DE"' in text


def _earn_and_pay_out(demo: ScreenDemo, ghost: Ghost) -> None:
    offers: list[dict[str, Any]] = []

    def offered() -> bool:
        anyio.run(_ask_around, demo.home / "client")
        offers[:] = [offer for offer in demo.cli("models") if offer["in_price"] == PRICE]
        return bool(offers)

    wait_until(offered, "the client hears of the ghost")
    policy = offers[0]["policy"]
    assert (policy["retention"], policy["jurisdiction"]) == ("none", "CH")

    asked = demo.cli("ask", "--ghost", offers[0]["ghost"], "What is an onion?")
    assert asked.get("answer"), asked
    earned = ghost.cli("earnings")
    assert earned["answers"] == 1
    assert earned["total_msat"] == asked["cost_msat"] > 100_000
    assert earned["hours"][-1]["msat"] == earned["days"][-1]["msat"] == earned["total_msat"]

    assert ghost.cli("ghost", "pause")["paused"]
    wait_until(lambda: not offered(), "the client hears of the pause")
    assert not ghost.cli("ghost", "resume")["paused"]

    wait_until(lambda: not ghost.cli("earnings")["credit_msat"], "the client settles")
    (paid,) = ghost.cli("ghost", "payout", "--yes")
    assert (paid["state"], paid["address"]) == ("paid", ADDRESS), paid
    assert 0 < paid["amount_sat"] <= earned["total_msat"] // 1000
    _look_around(ghost)
    assert ghost.cli("earnings")["paid_out_sat"] == paid["amount_sat"] + paid["fee_sat"]
