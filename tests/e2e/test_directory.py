"""Twelve node processes find each other through one invite; one is killed, one comes late."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.control.paths import control_socket
from tests.e2e.demo_process import COMMAND, environment, short_folder
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import wait_until
from tui.demo.home import DemoHome
from tui.demo.nodes import call
from tui.demo.ports import free_port

RELAYS = 11
READY_S = 90.0


class Nodes:
    """Relays and a client, each a process with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = DemoHome.open(str(folder / "home"))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = environment(folder)

    def relay(self, number: int) -> str:
        name, host = f"relay{number}", f"127.{number}.0.1"
        link = {"listen": f"{host}:{free_port(host)}"}
        self._start(name, {"roles": ["relay"], "link": link})
        return name

    def client(self) -> str:
        self._start("client", {"roles": ["client"]})
        return "client"

    def _start(self, name: str, tables: Mapping[str, Any]) -> None:
        network = {"name": "twelve", "test_network": True, "gossip_s": 2, "refresh_s": 5}
        self.home.write_config(
            name, {**tables, "store": dict(self.home.node_store(name)), "network": network}
        )
        folder = self.home.folder(name)
        with self.home.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine", "--home", str(folder)],
                cwd=folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def call(self, name: str, method: str, **params: Any) -> Any:
        """A control call to a node that runs."""
        return anyio.run(partial(call, self.home, name, method, **params))

    def wait_up(self, *names: str) -> None:
        for name in names:
            socket = control_socket(self.home.root / name)
            wait_until(socket.exists, f"{name} answers", timeout_s=READY_S)

    def cli(self, name: str, *words: str) -> Any:
        """A command of the CLI against a node: its JSON."""
        done = subprocess.run(
            [*COMMAND, "--home", str(self.home.root / name), "--json", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def relays_known(self, name: str) -> set[str]:
        return {node["id"] for node in self.call(name, "network")["relays"]}

    def short_id(self, name: str) -> str:
        return str(self.call(name, "status")["node"])

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with short_folder() as folder:
        found = Nodes(folder)
        try:
            yield found
        finally:
            found.stop()


def test_twelve_processes_meet_through_one_invite(nodes: Nodes) -> None:
    """Cold start from one address; a kill goes unpunished; a latecomer is known to all."""
    names = [nodes.relay(number) for number in range(1, RELAYS)]
    client = nodes.client()
    nodes.wait_up(*names, client)
    invite = nodes.cli(names[0], "invite")["invite"]
    for name in [*names[1:], client]:
        assert nodes.cli(name, "join", invite)["answered"] == 1

    ids = {nodes.short_id(name) for name in names}
    for name in [*names, client]:
        wait_until(lambda name=name: nodes.relays_known(name) >= ids, f"{name} knows all")

    nodes.kill(names[0])  # the one address everybody was told
    late = nodes.relay(RELAYS)
    nodes.wait_up(late)
    invite = nodes.cli(names[4], "invite")["invite"]
    assert nodes.cli(late, "join", invite)["answered"] >= 1
    everyone = ids | {nodes.short_id(late)}
    for name in [*names[1:], late, client]:
        wait_until(lambda name=name: nodes.relays_known(name) >= everyone, f"{name} knows the last")

    view = nodes.cli(client, "network")["directory"]["view"]
    assert view["sources"] == 3
    assert view["known"] == RELAYS
