"""The machine and the ports, made bad for real where that can be done, and by hand where not."""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.config import NodeConfig, parse_config
from engine.doctor import machine, ports
from engine.doctor.findings import FAIL, OK, SKIP, WARN
from tests.engine.test_main import free_port


def settings(tmp_path: Path, **tables: Any) -> NodeConfig:
    return parse_config(tmp_path, tables, base=tmp_path)


def relay(tmp_path: Path, listen: str, *, test: bool = False, **link: str) -> NodeConfig:
    return settings(
        tmp_path,
        roles=["relay"],
        link={"listen": listen, **link},
        network={"test_network": test},
    )


def test_versions_and_what_the_settings_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = machine.versions(settings(tmp_path, metrics={"listen": "127.0.0.1:1"}))
    assert found.state == OK
    for word in ("Python 3.", "SQLCipher 4.", "trio ", "textual ", "extras: "):
        assert word in found.found
    monkeypatch.setattr(machine, "_EXTRAS", (("metrics", "no_such_module"),))
    found = machine.versions(settings(tmp_path, metrics={"listen": "127.0.0.1:1"}))
    assert (found.state, "peer2prompt[metrics]" in found.advice) == (FAIL, True)
    monkeypatch.setattr(machine, "_LIBRARIES", ("no-such-library",))
    assert machine.versions(None).state == FAIL


@pytest.fixture
def few_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_files")
def test_too_few_files(tmp_path: Path) -> None:
    found = machine.descriptors(relay(tmp_path, "127.0.0.1:9001"))
    assert (found.state, "LimitNOFILE=4352" in found.advice) == (WARN, True)
    assert machine.descriptors(settings(tmp_path)).state == WARN
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert machine.descriptors(settings(tmp_path)).state == FAIL


def test_memory(tmp_path: Path) -> None:
    info = tmp_path / "meminfo"
    info.write_text("MemTotal: 400000 kB\nMemAvailable: 50000 kB\n")
    assert machine.memory(None, info).state == WARN
    info.write_text("MemTotal: 400000 kB\nMemAvailable: 390000 kB\n")
    assert machine.memory(None, info).state == OK
    found = machine.memory(relay(tmp_path, "127.0.0.1:9001"), info)
    assert (found.state, "576 MiB" in found.found) == (WARN, True)
    assert machine.memory(None, tmp_path / "none").state == OK


def test_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.entropy().state == OK

    def unseeded(_size: int, _flags: int) -> bytes:
        raise BlockingIOError

    monkeypatch.setattr(os, "getrandom", unseeded)
    assert machine.entropy().state == FAIL


def test_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.is_dir

    def is_dir(self: Path) -> bool:
        return str(self) == "/run/systemd/system" or real(self)

    assert machine.systemd({"USER": "ada"}, tmp_path).state in (OK, WARN)
    monkeypatch.setattr(Path, "is_dir", is_dir)
    monkeypatch.setattr(os, "getuid", lambda: 1_000)
    found = machine.systemd({"USER": "ada"}, tmp_path)
    assert (found.state, found.advice) == (WARN, "Run: loginctl enable-linger")
    (tmp_path / "ada").touch()
    assert machine.systemd({"USER": "ada"}, tmp_path).state == OK
    assert "with a watchdog" in (
        machine.systemd({"INVOCATION_ID": "x", "WATCHDOG_USEC": "1"}, tmp_path).found
    )


def test_a_port_that_is_taken_by_another_and_one_that_the_node_has(tmp_path: Path) -> None:
    port = free_port()
    config = relay(tmp_path, f"127.1.0.1:{port}", test=True)
    assert ports.ports(config, running=False).state == OK
    found = ports.ports(config, running=True)
    assert (found.state, "nothing answers" in found.found) == (FAIL, True)
    with socket.create_server(("127.1.0.1", port)):
        found = ports.ports(config, running=False)
        assert (found.state, "another program listens" in found.found) == (FAIL, True)
        assert f"sport = :{port}" in found.advice
        assert ports.ports(config, running=True).state == OK


def test_ports_of_the_local_api_and_of_metrics_count(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    for table in ("api", "metrics"):
        config = settings(tmp_path, **{table: {"listen": f"127.0.0.1:{port}"}})
        with socket.create_server(("127.0.0.1", port)):
            assert ports.ports(config, running=False).state == FAIL
        assert ports.ports(config, running=False).state == OK
    assert ports.ports(settings(tmp_path), running=False).state == OK
    assert ports.ports(None, running=False).state == SKIP


def test_an_address_that_this_machine_does_not_have(tmp_path: Path) -> None:
    found = ports.ports(relay(tmp_path, "203.0.113.7:9001"), running=False)
    assert (found.state, "no interface" in found.means) == (FAIL, True)


def test_a_low_port_without_the_right_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's refusal is played: these tests may run as root, whom it lets have any port."""
    real = socket.create_server

    def denied(address: tuple[str, int], **options: Any) -> socket.socket:
        if address[1] == 81:
            raise PermissionError(13, "Permission denied")
        return real(address, **options)

    monkeypatch.setattr(socket, "create_server", denied)
    found = ports.ports(relay(Path("/tmp"), "127.0.0.1:81"), running=False)
    assert (found.state, "CAP_NET_BIND_SERVICE" in found.advice) == (FAIL, True)


@pytest.mark.parametrize(
    ("listen", "advertise", "state"),
    [
        ("0.0.0.0:9001", "", OK),
        ("0.0.0.0:9001", "auto", OK),
        ("0.0.0.0:9001", "192.168.1.4", FAIL),
        ("10.0.0.4:9001", "", FAIL),
        ("0.0.0.0:9001", "8.8.8.8:81", WARN),
        ("0.0.0.0:9001", "8.8.8.8:443", OK),
        ("0.0.0.0:9001", "[2001:4860::8]:9001", OK),
    ],
)
def test_the_advertised_address(tmp_path: Path, listen: str, advertise: str, state: str) -> None:
    link = {"advertise": advertise} if advertise else {}
    assert ports.address(relay(tmp_path, listen, **link)).state == state


def test_addresses_of_those_who_have_none(tmp_path: Path) -> None:
    assert ports.address(settings(tmp_path)).state == OK
    assert ports.address(relay(tmp_path, "127.0.0.1:9001", test=True)).state == OK
    assert ports.address(None).state == SKIP
    assert sys.version_info >= machine.LEAST_PYTHON
