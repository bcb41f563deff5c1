"""The one-line installs of docs/install.md, for real: `pipx install` and `uv tool install`.

Each has folders of its own and downloads the dependencies; uv fetches for both, so they are fetched
once. Without a package registry these tests are left out, except where CI says that there is one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.built import build, clean_environment, export_tracked, run
from tests.helpers.control import short_home
from tests.helpers.patience import PATIENCE_S

TOOLS = Path(sys.executable).parent
OFFLINE = ("Failed to fetch", "error sending request", "dns error", "Connection refused")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as somebody else has it."""
    return export_tracked(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = build(source, tmp_path_factory.mktemp("dist"), "wheel").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything is installed: one folder, with the downloads in it, too."""
    return tmp_path_factory.mktemp("installed")


def install(cache: Path, cwd: Path, *command: str | Path, **env: str) -> None:
    done = run(*command, cwd=cwd, timeout_s=400, UV_CACHE_DIR=str(cache), **env)
    said = done.stdout + done.stderr
    if done.returncode and any(sign in said for sign in OFFLINE) and not os.environ.get("CI"):
        pytest.skip("no package registry can be reached")
    assert done.returncode == 0, said


@pytest.fixture(scope="module")
def by_pipx(source: Path, place: Path) -> Path:
    """The folder that `pipx install .` puts what people use into: bin, man, completions."""
    shown = place / "pipx-shown"
    install(
        place / "cache",
        source,
        *(TOOLS / "pipx", "install", "."),
        PIPX_HOME=str(place / "pipx"),
        PIPX_BIN_DIR=str(shown / "bin"),
        PIPX_MAN_DIR=str(shown / "man"),
        PIPX_COMPLETION_DIR=str(shown),
        PIPX_DEFAULT_BACKEND="uv",
        PATH=f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
    )
    return shown


@pytest.fixture(scope="module")
def by_uv(wheel: Path, place: Path) -> Path:
    """The same by `uv tool install` of the wheel; uv shows programs alone."""
    shown = place / "uv-shown"
    install(
        place / "cache",
        place,
        *(TOOLS / "uv", "tool", "install", "--python", sys.executable, wheel),
        UV_TOOL_DIR=str(place / "uv"),
        UV_TOOL_BIN_DIR=str(shown / "bin"),
    )
    return shown


@pytest.mark.parametrize("way", ["by_pipx", "by_uv"])
def test_the_command_works(way: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What needs no node: version, settings, help, manual, completion. Nothing on stderr."""
    command = request.getfixturevalue(way) / "bin" / "peer2prompt"

    def said(*words: str) -> str:
        done = run(command, *words, cwd=tmp_path, PEER2PROMPT_HOME=str(tmp_path / "home"))
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert said("--version").startswith("peer2prompt ")
    assert "every default holds" in said("config", "check")
    assert "[link]" in said("config", "example")
    assert "usage: peer2prompt" in said("--help")
    assert said("manual").startswith(".")
    assert "complete -F _peer2prompt" in said("completion", "bash")


@pytest.mark.parametrize("way", ["by_pipx", "by_uv"])
def test_a_node_starts_answers_and_stops(way: str, request: pytest.FixtureRequest) -> None:
    command = request.getfixturevalue(way) / "bin" / "peer2prompt"
    with short_home() as home, node(command, home) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("ready "), first
        status = run(command, "status", "--json", "--home", home, cwd=home)
        assert json.loads(status.stdout)["node"] == json.loads(first[6:])["node"]
        assert run(command, "stop", "--home", home, cwd=home).returncode == 0
        assert process.wait(timeout=PATIENCE_S) == 0


@contextmanager
def node(command: Path, home: Path) -> Iterator[subprocess.Popen[str]]:
    (home / "passphrase").write_text("seven green onions\n")
    (home / "passphrase").chmod(0o600)
    process = subprocess.Popen(
        [command, "node", "--home", home],
        env=clean_environment(PEER2PROMPT_PASSPHRASE_FILE=str(home / "passphrase")),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_pipx_shows_manual_and_completions(by_pipx: Path) -> None:
    shown = {str(path.relative_to(by_pipx)) for path in by_pipx.rglob("*peer2prompt*")}
    assert shown == {
        "bin/peer2prompt",
        "man/man1/peer2prompt.1",
        "bash-completion/completions/peer2prompt",
        "zsh/site-functions/_peer2prompt",
        "fish/vendor_completions.d/peer2prompt.fish",
    }
    assert (by_pipx / "man/man1/peer2prompt.1").read_text("utf-8").startswith(".")
