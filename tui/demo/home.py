"""The demo's folder: one sub-folder a process, keys, configuration files, logs.

    <home>/demo.json         what must stay the same from run to run (ports)
    <home>/contacts.txt      invites of two relays, from which the nodes find each other
    <home>/log/              output of every process
    <home>/<node>/           a node's home: config.toml, store.key and its encrypted store
    <home>/mint/             the mint's data, mint/private.key

Key files are 0600 in folders of 0700. The provider's key is kept elsewhere; see `main.py`.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tui.demo.errors import DemoError

PASSPHRASE_VARIABLE = "PEER2PROMPT_PASSPHRASE_FILE"
TomlTable = Mapping[str, object]
TomlTables = Mapping[str, TomlTable | Sequence[str] | Sequence[TomlTable]]


class DemoHome:
    """Opened once per demo; holds a lock so that two demos never share it."""

    def __init__(self, root: Path, *, temporary: bool) -> None:
        self.root = root
        self.temporary = temporary
        self._lock = -1

    @classmethod
    def open(cls, folder: str | None) -> DemoHome:
        """`folder`, made when missing, else a fresh temporary folder."""
        if folder is None:
            home = cls(Path(tempfile.mkdtemp(prefix="peer2prompt-demo-")), temporary=True)
        else:
            home = cls(Path(os.path.abspath(Path(folder).expanduser())), temporary=False)
        try:
            home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            (home.root / "log").mkdir(mode=0o700, exist_ok=True)
            home._take_lock()
        except OSError as exc:
            raise DemoError(
                f"The demo cannot use the folder {home.root}: {exc.strerror}.",
                hint="Choose another with --home DIR.",
                code="config",
                exit_code=2,
            ) from exc
        return home

    def _take_lock(self) -> None:
        self._lock = os.open(self.root / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DemoError(
                f"Another demo is running in {self.root}.",
                kept="Nothing was changed.",
                hint="Stop it first, or choose another folder with --home DIR.",
                code="locked",
                exit_code=3,
            ) from exc

    def log(self, name: str) -> Path:
        return self.root / "log" / f"{name}.log"

    @property
    def contacts(self) -> Path:
        return self.root / "contacts.txt"

    def folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def recall(self) -> dict[str, int]:
        """The ports of an earlier run in this folder."""
        try:
            ports = json.loads((self.root / "demo.json").read_text("utf-8"))["ports"]
            return {str(name): int(port) for name, port in ports.items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}

    def remember(self, ports: Mapping[str, int]) -> None:
        write_text(self.root / "demo.json", json.dumps({"ports": dict(ports)}, indent=1) + "\n")

    def secret(self, folder: str, name: str) -> str:
        """32 random bytes in hex, made once and kept in a 0600 file."""
        path = self.folder(folder) / name
        if not path.exists():
            write_text(path, secrets.token_hex(32))
        return path.read_text("ascii").strip()

    def node_store(self, name: str) -> dict[str, str]:
        """How a node's store is opened: a key file beside it, unless the user gave a passphrase
        file for the client and its store was not made with a key."""
        key = self.folder(name) / "store.key"
        if name == "client" and os.environ.get(PASSPHRASE_VARIABLE) and not key.exists():
            return {}
        self.secret(name, "store.key")
        return {"key_file": str(key)}

    def write_config(self, name: str, tables: TomlTables) -> None:
        write_text(self.folder(name) / "config.toml", to_toml(tables))


def write_text(path: Path, text: str) -> None:
    """Write a 0600 file in one step: a reader sees the old one or the new one whole."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def to_toml(tables: TomlTables) -> str:
    """TOML of top-level lists, flat tables and lists of flat tables; JSON's strings, numbers and
    lists are TOML's."""
    lines: list[str] = []
    for name, value in tables.items():
        if isinstance(value, Mapping):
            lines += _table(f"[{name}]", value)
        elif any(isinstance(item, Mapping) for item in value):
            for item in value:
                if isinstance(item, Mapping):
                    lines += _table(f"[[{name}]]", item)
        else:
            lines.insert(0, f"{name} = {_value(value)}")
    return "\n".join(lines) + "\n"


def _table(head: str, table: TomlTable) -> list[str]:
    return [f"\n{head}", *(f"{key} = {_value(item)}" for key, item in table.items())]


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
