"""`ghost setup` at a terminal of 80 columns and 24 lines, as over SSH: typed, left, taken up."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import tomllib
from pathlib import Path

from tests.e2e.demo_process import COMMAND, environment, short_folder
from tests.helpers.processes import wait_until

KEY = "sk-typed-and-not-shown"
FIRST = [
    ("Which?", "1"),
    ("Base URL", "http://127.0.0.1:8000/v1"),
    ("Paste it", KEY),
    ("Ask the provider", "n"),
    ("Names or numbers", "small"),
]
REST = [
    ("Which?", "fixed"),
    ("msat per 1M", "10000000 40000000"),
    ("Tokens a day", ""),
    ("Answers at once", "3"),
    ("Tokens in one", ""),
    ("Which?", "none"),
    ("Jurisdiction", ""),
    ("Mints", "https://mint.example"),
    ("Lightning address", ""),
    ("Listen on", "127.0.0.1:9735"),
    ("Write them", ""),
]


class Terminal:
    def __init__(self, folder: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        secret = folder / "passphrase"
        secret.write_text("a passphrase")
        self.process = subprocess.Popen(
            [*COMMAND, "--home", str(folder / "home"), "ghost", "setup"],
            env=environment(folder, PEER2PROMPT_PASSPHRASE_FILE=str(secret)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.text = ""
        self._at = 0

    def _read(self) -> None:
        while select.select([self.master], [], [], 0.05)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.text += data.decode("utf-8", "replace")

    def answer(self, question: str, words: str) -> None:
        def asked() -> bool:
            self._read()
            return question in self.text[self._at :] and self.text.endswith((" ", ": "))

        wait_until(asked, f"{question!r} is asked")
        self._at = len(self.text)
        os.write(self.master, f"{words}\n".encode())

    def end(self) -> int:
        def ended() -> bool:
            self._read()
            return self.process.poll() is not None

        wait_until(ended, "the command ends")
        self._read()
        os.close(self.master)
        return self.process.returncode


def test_a_person_at_a_terminal() -> None:
    with short_folder() as folder:
        first = Terminal(folder)
        for question, words in FIRST:
            first.answer(question, words)
        first.answer("Which?", "\x03")  # Ctrl+C: the session is lost
        assert first.end() == 130
        assert KEY not in first.text
        again = Terminal(folder)
        again.answer("Go on with the answers", "")
        for question, words in [*((q, "") for q, _ in FIRST[:2]), *FIRST[2:4], ("Names or", "")]:
            again.answer(question, words)
        for question, words in REST:
            again.answer(question, words)
        assert again.end() == 0
        assert KEY not in again.text
        lines = [line for line in again.text.splitlines() if str(folder) not in line]
        assert max(map(len, lines)) <= 80
        config = folder / "home" / "config.toml"
        data = tomllib.loads(config.read_text())
        assert data["ghost"]["upstreams"][0]["key"] == "openai"
        assert data["ghost"]["caps"]["concurrent"] == 3
        for file in (folder / "home").rglob("*"):
            assert not file.is_file() or KEY.encode() not in file.read_bytes()
