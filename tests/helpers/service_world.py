"""The demo's mint and relays, with its ghost and clients under supervisors of the tests."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from engine.control.client import RemoteError
from tests.e2e.demo_process import COMMAND, environment, fake_provider, short_folder
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import wait_until
from tests.helpers.service import NODE, Supervisor, call
from tui.demo import nodes
from tui.demo.home import DemoHome
from tui.demo.places import RELAYS, STOP_ORDER
from tui.demo.plan import Plan, Wanted
from tui.demo.supervisor import Supervisor as DemoSupervisor

FUNDED_SAT = nodes.FUND_SAT
CHUNK_SAT = 8
MODEL = "m"
PAUSE_S = 0.15  # the provider's, before each piece of an answer
QUESTION = "What is an onion?"


@dataclass
class World:
    """What runs all the time; clients and ghost are started by the tests."""

    folder: Path
    plan: Plan
    ghost: Supervisor
    client: Supervisor
    funded_sat: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def fresh_client(self, home: Path) -> None:
        """Settings of a client that knows this network and mint and has no store yet."""
        home.mkdir(mode=0o700, exist_ok=True)
        text = (self.plan.home.folder("client") / "config.toml").read_text()
        old = str(self.plan.home.folder("client") / "store.key")
        (home / "config.toml").write_text(text.replace(old, "store.key"))


def fund(home: Path, mint: str, amount_sat: int) -> None:
    """Put ecash into the wallet of the node on this home; the mint pays its own invoices."""
    quote: dict[str, Any] = {}

    def asked() -> bool:
        with contextlib.suppress(RemoteError):  # the first circuits are being built
            quote.update(call(home, "wallet.fund", mint=mint, amount_sat=amount_sat))
        return bool(quote)

    wait_until(asked, "the mint gives an invoice")

    def minted() -> bool:
        with contextlib.suppress(RemoteError):
            named = {"quote_id": quote["quote_id"], "mint": mint}
            state = str(call(home, "wallet.fund.check", **named).get("state"))
            return state.upper() == "ISSUED"
        return False

    wait_until(minted, "the ecash is in the wallet")


def held_sat(home: Path) -> int:
    """Everything in a wallet, in whatever state."""
    mints = call(home, "wallet.balance")["mints"]
    return sum(m["available_sat"] + m["reserved_sat"] + m["held_sat"] for m in mints)


def ask(home: Path, text: str = QUESTION) -> dict[str, Any]:
    """One question by the command line, to its end: its JSON."""
    done = subprocess.run(
        [*COMMAND, "--home", str(home), "--json", "ask", text],
        env=environment(home.parent),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert "Traceback" not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ask_until_answered(home: Path) -> dict[str, Any]:
    """A hop or a node that died a moment ago may cost tries, never an odd error."""

    def answered() -> dict[str, Any]:
        found = ask(home)
        assert found.get("error", {}).get("exit_code", 4) in (3, 4, 5, 6, 7, 8), found
        return {} if "error" in found else found

    return wait_until(answered, "the question is answered")


class Asking(threading.Thread):
    """Asks one question in the background."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._home = home
        self.result: dict[str, Any] = {}

    def run(self) -> None:
        self.result = ask(self._home)


@contextlib.contextmanager
def service_world() -> Iterator[World]:
    """Six relays and a mint that serve; ghost and client prepared, not started."""
    with short_folder() as folder, fake_provider("slow", "--pause", str(PAUSE_S)) as url:
        home = DemoHome.open(str(folder / "net"))
        supervisor = DemoSupervisor(lambda _text: None)
        try:
            plan = Plan(home, Wanted(provider_url=url, models=(MODEL,)))
            supervisor.wait_ready(supervisor.start([*plan.services(), *plan.relays()]), _ignore)
            anyio.run(nodes.introduce, home, RELAYS)
            plan.ghosts()
            plan.client()
            ghost = Supervisor(folder, home.folder("ghost"), watchdog_s=20)
            client = Supervisor(folder, home.folder("client"), watchdog_s=20)
            with contextlib.ExitStack() as stack:
                stack.enter_context(ghost).wait_ready()
                # What the client's first contacts tell it is then the whole network.
                anyio.run(nodes.wait_until_met, home, RELAYS[: nodes.CONTACTS], len(RELAYS) + 1)
                stack.enter_context(client).wait_ready()
                fund(client.home, plan.mint_url, FUNDED_SAT)
                yield World(folder, plan, ghost, client, FUNDED_SAT)
        finally:
            supervisor.stop(STOP_ORDER)


def _ignore(_child: object) -> None:
    """Nobody is told."""


@contextlib.contextmanager
def small_disk(place: Path, mebibytes: int) -> Iterator[bool]:
    """A file system of its own at `place`; False where none can be mounted."""
    place.mkdir(mode=0o700, exist_ok=True)
    options = f"size={mebibytes}m,mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    mounted = _ok(command)
    try:
        yield mounted
    finally:
        if mounted:
            _ok(["umount", "-l", str(place)])


def remount(place: Path, how: str) -> bool:
    """Make the file system at `place` "ro" or "rw"."""
    return _ok(["mount", "-o", f"remount,{how}", str(place)])


def _ok(command: Sequence[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


__all__ = ["NODE", "Asking", "World", "ask", "ask_until_answered", "fund", "held_sat"]
