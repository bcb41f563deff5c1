"""The unit file: what it says, what systemd thinks of it, how it is installed."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.patience import PATIENCE_S
from tui.cli.service_unit import STOP_S, Wanted, unit_text

COMMAND = (sys.executable, "-m", "tui.cli.main")
ANALYZE = shutil.which("systemd-analyze")
# Directives that systemd knows only from 254 on; an older one says that it ignores them.
NEWER = ("RestartSteps", "RestartMaxDelaySec")


def service(text: str) -> dict[str, list[str]]:
    """The directives of [Service], in order."""
    found: dict[str, list[str]] = {}
    inside = text.partition("[Service]\n")[2].partition("[Install]")[0]
    for line in filter(None, inside.splitlines()):
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value)
    return found


def test_a_unit_for_the_machine() -> None:
    unit = service(unit_text(Wanted(system=True, credential=Path("/etc/p2p/passphrase.cred"))))
    assert unit["Type"] == ["notify"]
    assert unit["DynamicUser"] == ["yes"]
    assert unit["StateDirectory"] == ["peer2prompt"]
    assert unit["LoadCredentialEncrypted"] == ["passphrase:/etc/p2p/passphrase.cred"]
    assert unit["Environment"] == ["PEER2PROMPT_PASSPHRASE_FILE=%d/passphrase"]
    assert unit["ExecStart"][0].endswith("-m engine --home %S/peer2prompt")
    assert unit["LimitCORE"] == ["0"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert "WatchdogSec" in unit
    assert int(unit["TimeoutStopSec"][0]) == STOP_S


def test_a_unit_for_a_user_of_the_machine_and_a_home() -> None:
    wanted = Wanted(system=True, home=Path("/home/p/100%/p2p"), run_as="p")
    unit = service(unit_text(wanted))
    assert unit["User"] == ["p"]
    assert "DynamicUser" not in unit
    assert "ProtectHome" not in unit
    assert unit["ReadWritePaths"] == ["/home/p/100%%/p2p"]
    assert "100%%" in unit["ExecStart"][0]


def test_a_unit_for_ones_own_systemd_asks_for_nothing_it_cannot_have() -> None:
    unit = service(unit_text(Wanted(system=False, home=Path("/x"), credential=Path("/x/pass"))))
    assert unit["LoadCredential"] == ["passphrase:/x/pass"]
    assert not {"User", "DynamicUser", "ProtectSystem", "PrivateDevices"} & set(unit)
    assert unit["NoNewPrivileges"] == ["yes"]


def test_models_of_its_own_need_devices_and_generated_code() -> None:
    strict = service(unit_text(Wanted(system=True)))
    own = service(unit_text(Wanted(system=True, local_models=True)))
    assert set(strict) - set(own) == {"MemoryDenyWriteExecute", "PrivateDevices", "DevicePolicy"}


def test_it_is_a_file_that_other_programs_read() -> None:
    done = run("--json", "service", "unit", "--system")
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(json.loads(done.stdout)["unit"])
    assert parser.sections() == ["Unit", "Service", "Install"]


@pytest.mark.skipif(ANALYZE is None, reason="this machine has no systemd-analyze")
@pytest.mark.parametrize("local_models", [False, True])
def test_systemd_takes_it(tmp_path: Path, local_models: bool) -> None:
    assert ANALYZE is not None
    path = tmp_path / "peer2prompt.service"
    path.write_text(unit_text(Wanted(system=True, local_models=local_models)))
    done = subprocess.run([ANALYZE, "verify", str(path)], capture_output=True, text=True)
    about_us = [
        line
        for line in done.stderr.splitlines()
        if line.startswith(str(path)) and not any(name in line for name in NEWER)
    ]
    assert about_us == []
    assert done.returncode == 0, done.stderr
    offline = [ANALYZE, "security", "--offline=true", "--threshold=30", str(path)]
    graded = subprocess.run(offline, capture_output=True, text=True)
    assert "Overall exposure level" in graded.stdout, graded.stderr
    assert graded.returncode == 0, graded.stdout.splitlines()[-1]


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PEER2PROMPT_")}
    return subprocess.run(
        [*COMMAND, *words], env={**clean, **env}, capture_output=True, text=True, timeout=PATIENCE_S
    )


def test_installing_and_removing_ones_own(tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {said}\necho ActiveState=active\n')
    program.chmod(0o700)
    env = {"PATH": f"{program.parent}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(tmp_path / "c")}
    home = ("--home", str(tmp_path / "home"))
    unit = tmp_path / "c/systemd/user/peer2prompt.service"
    done = run(*home, "service", "install", **env)
    assert done.returncode == 0, done.stderr
    assert f"--home {tmp_path / 'home'}" in unit.read_text()
    assert "active" in run("service", "status", **env).stdout
    assert run("service", "remove", **env).returncode == 0
    assert not unit.exists()
    assert [line.split()[1] for line in said.read_text().splitlines()] == [
        *("daemon-reload", "enable", "show", "disable", "daemon-reload")
    ]
    again = run("service", "remove", **env)
    assert again.returncode == 2
    assert "no unit" in again.stderr


def test_without_systemd_it_says_so(tmp_path: Path) -> None:
    done = run("service", "status", PATH=str(tmp_path))
    assert done.returncode == 2
    assert "no systemctl" in done.stderr
    assert "under the supervisor you have" in done.stderr
