"""The wheel, not the source tree: what it holds, and that it works in an empty environment."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine/", "wallet/", "tui/", "themes/")


def run(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PEER2PROMPT"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )


def tracked_files() -> set[str]:
    listed = run("git", "ls-files", "-z", cwd=ROOT)
    assert listed.returncode == 0, listed.stderr
    return set(listed.stdout.split("\0")) - {""}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git tracks and nothing else, so that a forgotten file shows."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    export = run("git", "checkout-index", "-a", f"--prefix={source}/", cwd=ROOT)
    assert export.returncode == 0, export.stderr
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=source)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel. Its dependencies are lent from the
    environment of the tests by a path entry, which does not lend the editable install."""
    folder = tmp_path_factory.mktemp("empty") / "env"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    done = run(*pip, wheel, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_wheel_holds_exactly_the_tracked_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {name for name in tracked_files() if name.startswith(PACKAGES)} | {"peer2prompt.py"}
    assert held == wanted


def test_wheel_carries_licence_and_script(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        extra = [name for name in archive.namelist() if ".dist-info/" in name]
        script = next(name for name in extra if name.endswith("entry_points.txt"))
        assert b"peer2prompt = tui.cli.main:main" in archive.read(script)
    assert any(name.endswith("LICENSE") for name in extra)


def test_installed_wheel_imports_from_itself(installed: Path, tmp_path: Path) -> None:
    code = (
        "import peer2prompt, engine.node, wallet.wallet, tui.cli.main, tui.app.main, themes\n"
        "for m in (peer2prompt, engine, wallet, tui, themes): print(m.__file__)"
    )
    result = run(installed / "python", "-W", "error", "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    places = [Path(line) for line in result.stdout.split()]
    assert all(place.is_relative_to(installed.parent) for place in places)


def test_installed_command_answers(installed: Path, tmp_path: Path) -> None:
    result = run(installed / "peer2prompt", "--help", cwd=tmp_path, HOME=str(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    assert "demo" in result.stdout


def test_installed_demo_names_what_is_missing(installed: Path, tmp_path: Path) -> None:
    """A wheel has no mint beside it: one sentence, and nothing left running or lying about."""
    result = run(
        *(installed / "peer2prompt", "demo", "--ask", "What is an onion?", "--home", "state"),
        cwd=tmp_path,
        HOME=str(tmp_path),
    )
    assert result.returncode == 2
    assert "make env" in result.stderr
    assert "Traceback" not in result.stderr
