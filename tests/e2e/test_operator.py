"""One real node as its operator sees it: status, metrics and log, by the commands themselves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.control.protocol.overview import Examination, Overview
from tests.engine.test_main import first_line, free_port
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Operated:
    """A relay that is also a client, alone in its network."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.metrics = free_port("127.0.0.1")
        self.listen = free_port()
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text(
            f'roles = ["relay", "client"]\n[store]\nkey_file = "key"\n'
            f'[link]\nlisten = "127.1.0.1:{self.listen}"\n[network]\ntest_network = true\n'
            f'[log]\nformat = "json"\nlevel = "debug"\n'
            f'[metrics]\nlisten = "127.0.0.1:{self.metrics}"\n'
            f'[wallet]\nmints = ["http://127.0.0.1:1"]\n'
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine", "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert first_line(self.process)[0] == "ready"

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tui.cli.main", "--home", str(self.home), *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        )

    def log(self) -> list[dict[str, Any]]:
        text = (self.home / "log" / "node.log").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    operated = Operated(tmp_path_factory.mktemp("n") / "home")
    yield operated
    operated.process.kill()
    operated.process.communicate()


def test_status_is_whole_and_tells_a_monitor(node: Operated) -> None:
    done = node.cli("status", "--json", "--check")
    raw = json.loads(done.stdout)
    found = msgspec.convert(raw, Overview, strict=True)
    assert set(raw) == set(Overview.__struct_fields__)
    assert (found.roles, found.pid) == (["client", "relay"], node.process.pid)
    assert (found.health == "warning") == bool(found.warnings)
    assert done.returncode == (10 if found.warnings else 0)
    assert found.metrics.url == f"http://127.0.0.1:{node.metrics}/metrics"
    assert found.log.to == str(node.home / "log" / "node.log")
    assert found.relay is not None
    assert found.reach is not None
    assert (found.api.on if found.api else None, found.ghost, found.earnings) == (False, None, None)


def test_status_for_a_person(node: Operated) -> None:
    text = node.cli("status").stdout
    for words in (
        "health",
        f"127.1.0.1:{node.listen}  (set)",
        "passing on  ",
        " made since the start, ",
        f"http://127.0.0.1:{node.metrics}/metrics",
        "node.log  (",
    ):
        assert words in text, text


def test_metrics_of_a_real_node(node: Operated) -> None:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{node.metrics}/metrics", timeout=PATIENCE_S
    ) as answer:
        text = answer.read().decode()
    found = {family.name for family in text_string_to_metric_families(text)}
    assert {"peer2prompt_relay_circuits", "peer2prompt_memory_bytes"} <= found
    status = json.loads(node.cli("status", "--json").stdout)
    for needle in (status["node"], str(node.home), "127.0.0.1:1", "127.1.0.1"):
        assert needle not in text


def test_the_log_is_of_the_vocabulary_and_says_what_matters(node: Operated) -> None:
    wait_until(
        lambda: any(line["event"] == "mint_unusable" for line in node.log()),
        "the mint that is not there",
        timeout_s=PATIENCE_S,
    )
    lines = node.log()
    serving = next(line for line in lines if line["event"] == "serving")
    assert serving["roles"] == ["client", "relay"]
    bad = next(line for line in lines if line["event"] == "mint_unusable")
    assert (bad["level"], bad["area"], bad["code"]) == ("warning", "mints", "mint_unreachable")
    text = json.dumps(lines)
    own = json.loads(node.cli("status", "--json").stdout)["node"]
    for needle in ("127.", "http", str(node.home), own):
        assert needle not in text


def test_a_node_that_hangs_is_told_of(node: Operated) -> None:
    node.process.send_signal(signal.SIGSTOP)
    try:
        hung = node.cli("status", "--json", "--timeout", "1")
        assert hung.returncode == 8
        assert json.loads(hung.stdout)["error"]["code"] == "node_silent"
        done = node.cli("doctor", "--json", "--timeout", "1")
    finally:
        node.process.send_signal(signal.SIGCONT)
    found = msgspec.convert(json.loads(done.stdout), Examination)
    socket = next(one for one in found.findings if one.check == "socket")
    assert (socket.state, found.running, done.returncode) == ("fail", False, 11)
    assert "does not answer" in socket.found


def test_metrics_on_an_address_that_is_taken(node: Operated, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        f'[store]\nkey_file = "key"\n[metrics]\nlisten = "127.0.0.1:{node.metrics}"\n'
    )
    second = subprocess.run(
        [sys.executable, "-m", "engine", "--home", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    word, _, rest = second.stdout.partition(" ")
    assert (word, second.returncode, second.stderr) == ("error", 9, "")
    assert "The metrics page cannot listen" in json.loads(rest)["message"]


def test_the_doctor_of_a_running_node_and_of_one_that_was_killed(node: Operated) -> None:
    (node.home / "key").chmod(0o644)
    with (node.home / "config.toml").open("a") as file:
        file.write("[shape]\ntick_ms = 250\n")
    done = node.cli("doctor", "--json")
    found = msgspec.convert(json.loads(done.stdout), Examination)
    states = {one.check: one.state for one in found.findings}
    assert (found.running, found.worst, done.returncode) == (True, "fail", 11)
    assert [name for name, state in states.items() if state == "fail"] == [
        "rights",  # the key file is open to others
        "network",  # it is alone
        "mints",  # the one of the settings is not there
    ]
    assert states["settings"] == "warn", "the file is not what the node runs by"
    assert "shape.tick_ms" in found.findings[0].found
    assert {"settings", "store", "socket", "ports", "clock", "terminal"} <= set(states)
    (node.home / "key").chmod(0o600)
    node.process.kill()
    node.process.wait()
    done = node.cli("doctor")
    assert done.returncode == 10, done.stdout
    assert "WARN socket   " in done.stdout
    assert "is left of a node that was killed" in done.stdout.replace("\n" + " " * 14, " ")
    assert "ok   store    It opens: schema" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("No node is running here.")
    (node.home / "config.toml").write_text("roles = 7\n")
    done = node.cli("doctor", "--json")
    settings = json.loads(done.stdout)["findings"][0]
    assert (settings["state"], done.returncode) == ("fail", 11)
    assert settings["found"] == "The setting roles must be a list."
    assert node.cli("status", "--check").returncode == 8


def test_the_schema_in_the_docs_is_the_one_that_is_spoken() -> None:
    """docs/status.schema.json is made with `python -m tests.e2e.test_operator`."""
    assert json.loads(SCHEMA.read_text()) == schema()


SCHEMA = ROOT / "docs" / "status.schema.json"


def schema() -> dict[str, Any]:
    """The JSON schema of `status --json`."""
    return msgspec.json.schema(Overview)


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=1) + "\n")
