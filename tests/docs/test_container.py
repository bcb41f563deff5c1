"""The container file's shape, and its commands run as it runs them; the image itself is not built.

No container runtime and no base image can be had where these tests run, so an instruction that a
builder would refuse for another reason than its form is not found here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.test_main import first_line
from tests.helpers.patience import PATIENCE_S
from tui.cli.manpage import ENVIRONMENT
from tui.cli.parser import build_parser

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "container" / "Containerfile"
GUIDE = ROOT / "docs" / "operating.md"
KNOWN = {
    *("ARG", "FROM", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"),
    *("HEALTHCHECK", "ENTRYPOINT", "CMD", "WORKDIR", "LABEL"),
}
BIN = "import sys; from tui.cli.main import main; sys.exit(main())"


def instructions() -> list[tuple[str, str]]:
    """(name, the rest) of each, continuation lines joined, comments left out."""
    lines = [line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word, rest.strip())
        for line in joined.splitlines()
        if line.strip()
        for word, _, rest in [line.strip().partition(" ")]
    ]


def values(name: str) -> list[str]:
    return [rest for word, rest in instructions() if word == name]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in values("ENV") for pair in rest.split())


def command(name: str) -> list[str]:
    """The words of the exec form: a shell would swallow signals."""
    found: list[str] = json.loads(values(name)[-1].partition("CMD ")[2] or values(name)[-1])
    return found


def test_every_instruction_is_one() -> None:
    words = [word for word, _ in instructions()]
    assert set(words) <= KNOWN
    assert words[:2] == ["ARG", "FROM"]
    for once in ("USER", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD", "STOPSIGNAL"):
        assert words.count(once) == 1


def test_stages_are_named_before_they_are_copied_from() -> None:
    stages = [rest.split(" AS ")[1] for rest in values("FROM") if " AS " in rest]
    copied = re.findall(r"--from=(\S+)", " ".join(values("COPY")))
    assert copied == stages == ["build"]
    assert " AS " not in values("FROM")[-1]


def test_it_runs_as_nobody_in_particular_and_keeps_state_in_one_place() -> None:
    words = [word for word, _ in instructions()]
    user, group = values("USER")[0].split(":")
    assert min(int(user), int(group)) >= 10_000
    assert words.index("USER") > max(n for n, word in enumerate(words) if word in ("RUN", "COPY"))
    home = environment()["PEER2PROMPT_HOME"]
    assert json.loads(values("VOLUME")[0]) == [home]
    assert f"-m 0700 {home}" in " ".join(values("RUN"))
    assert f"--uid {user}" in " ".join(values("RUN"))
    assert int(values("EXPOSE")[0].removesuffix("/tcp")) >= 1_024


def test_no_secret_is_in_it() -> None:
    text = FILE.read_text()
    assert environment()["PEER2PROMPT_PASSPHRASE_FILE"].startswith("/run/secrets/")
    assert not re.search(r"(?i)(passphrase|password|token|key)=(?!/run/secrets/)\S", text)
    assert "ADD " not in text
    assert "http" not in text
    assert "/wheels/peer2prompt-*.whl" in text, "the wheel itself, not whatever has its name"


def test_its_variables_and_commands_exist() -> None:
    names = {name for entry, _ in ENVIRONMENT for name in entry.split(", ")}
    ours = {name for name in environment() if name.startswith("PEER2PROMPT")}
    assert ours <= names
    assert command("ENTRYPOINT") == ["peer2prompt"]
    for words in (command("CMD"), command("HEALTHCHECK")[1:]):
        build_parser().parse_args(words)
    assert command("HEALTHCHECK")[0] == "peer2prompt"


def test_the_guide_runs_it_shut_in() -> None:
    page = GUIDE.read_text("utf-8")
    for option in (
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--secret",
        "--tmpfs",
        f":{environment()['PEER2PROMPT_HOME']}",
    ):
        assert option in page, option


@pytest.mark.skipif(os.name != "posix", reason="runs the commands")
def test_its_commands_run_in_its_environment(tmp_path: Path) -> None:
    """Start, health check, end by the stop signal: with the file's variables, in another place."""
    home, secret = tmp_path / "state", tmp_path / "secret"
    home.mkdir(mode=0o700)
    secret.write_text("a passphrase of six good words\n")
    (home / "config.toml").write_text("[network]\ntest_network = true\nseeds = false\n")
    env = {
        **environment(),
        "PEER2PROMPT_HOME": str(home),
        "PEER2PROMPT_PASSPHRASE_FILE": str(secret),
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
    }
    node = subprocess.Popen(
        [sys.executable, "-c", BIN, *command("CMD")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        assert first_line(node)[0] == "ready"
        health = [sys.executable, "-c", BIN, *command("HEALTHCHECK")[1:]]
        good = subprocess.run(health, env=env, capture_output=True, timeout=PATIENCE_S, check=False)
        assert good.returncode == 0
        assert json.loads(good.stdout)["pid"] == node.pid
        node.terminate()
        assert node.wait(90) == 0
        gone = subprocess.run(health, env=env, capture_output=True, timeout=PATIENCE_S, check=False)
        assert gone.returncode == 8
    finally:
        node.kill()
        node.communicate()
