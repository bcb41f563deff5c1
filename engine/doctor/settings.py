"""The settings as a shell sees them: a unit's credential is handed to the unit alone."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.catalogue import set_values
from engine.config import CREDENTIALS_ENV, NodeConfig, load_config, parse_config
from engine.control.protocol.overview import Finding
from engine.doctor.findings import good, warn
from engine.errors import ConfigError


@dataclass(frozen=True)
class Read:
    """Good settings. `elsewhere`: the passphrase is a credential that this process does not get."""

    config: NodeConfig
    elsewhere: bool = False


def read(home: Path, file: Path | None) -> Read:
    """The settings; what only the unit can open is left out. Raises ConfigError."""
    try:
        return Read(load_config(home, file))
    except ConfigError:
        data = _parsed(file or home / "config.toml")
        if os.environ.get(CREDENTIALS_ENV) or not _has_credential(data):
            raise
    path = file or home / "config.toml"
    store = {key: value for key, value in data["store"].items() if key != "credential"}
    config = parse_config(home, {**data, "store": store}, base=path.parent)
    return Read(replace(config, file=path, written=data), elsewhere=True)


def readable(home: Path, file: Path | None) -> NodeConfig | None:
    """The same, or None for wrong ones: their own check says what is wrong."""
    try:
        return read(home, file).config
    except ConfigError:
        return None


def check_settings(home: Path, file: Path | None, written: Mapping[str, Any] | None) -> Finding:
    """Whether the next start will take them, and whether a running node goes by them: it read what
    is `written`."""
    path, found = file or home / "config.toml", read(home, file)
    there = "" if path.exists() else " (it does not exist: every default holds)"
    told = f"{path} is good{there}; roles: {', '.join(sorted(found.config.roles))}"
    if changed := _changed(found.config.written, written):
        return warn(
            f"{told}; not what the node runs by: {', '.join(changed)}.",
            "The file was changed since the node read it.",
            "Run: peer2prompt config reload (it says what waits for a restart).",
        )
    if found.elsewhere:
        return good(f"{told}; the passphrase is a credential of the unit.")
    return good(f"{told}.")


def _changed(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[str]:
    """Names of settings that differ; none when there is no node to compare with."""
    if before is None:
        return []
    new, old = set_values(now), set_values(before)
    return sorted(name for name in new.keys() | old.keys() if new.get(name) != old.get(name))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # its own check says so
        return {}


def _has_credential(data: Mapping[str, Any]) -> bool:
    store = data.get("store")
    named = store.get("credential") if isinstance(store, dict) else None
    return isinstance(named, str) and bool(named)
