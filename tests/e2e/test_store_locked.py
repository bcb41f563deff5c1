"""Opening the screen with a wrong passphrase: a sentence, nothing changed, nothing told."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.e2e.demo_process import COMMAND, environment, short_folder
from tests.helpers.patience import PATIENCE_S


def open_with(folder: Path, passphrase: str) -> subprocess.CompletedProcess[str]:
    """`peer2prompt` in a home, without a terminal: the node starts, and the screen cannot."""
    secret = folder / "secret"
    secret.write_text(passphrase + "\n")
    return subprocess.run(
        [*COMMAND, "--home", str(folder / "home")],
        env=environment(folder, PEER2PROMPT_PASSPHRASE_FILE=str(secret)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def test_a_wrong_passphrase_is_told_in_words() -> None:
    with short_folder() as folder:
        first = open_with(folder, "correct horse")
        assert "needs a real terminal" in first.stderr, first.stderr
        before = {p: p.stat().st_size for p in (folder / "home").rglob("*.kdf")}
        locked = open_with(folder, "battery staple")
        assert locked.returncode == 3, locked.stderr
        for words in ("passphrase", "not changed"):
            assert words in locked.stderr
        for secret in ("Traceback", "horse", "staple"):
            assert secret not in locked.stderr
        assert before == {p: p.stat().st_size for p in (folder / "home").rglob("*.kdf")} != {}
        assert "needs a real terminal" in open_with(folder, "correct horse").stderr
