"""Looking at config.toml without a node: check one, or print an example. Never changes a file.

    python -m engine.settings_tool check --home DIR [--config FILE]
    python -m engine.settings_tool example --home DIR

Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.catalogue import GHOST, SETTINGS, example, set_values
from engine.config import load_config
from engine.control.protocol.node import SettingInfo
from engine.errors import Peer2PromptError
from engine.version import VERSION
from wallet.store.schema import CURRENT


def described(data: Mapping[str, Any]) -> list[SettingInfo]:
    """Every setting with its value in `data` (a parsed config.toml), its default, its meaning."""
    own = set_values(data)
    return [
        SettingInfo(
            name=known.name,
            value=own.get(known.name, known.default),
            default=known.default,
            changed=known.name in own,
            meaning=known.meaning,
        )
        for known in (*SETTINGS, GHOST)
    ]


def check(home: Path, file: Path | None) -> dict[str, Any]:
    """The roles of a good file, and what program says so. Raises ConfigError for what is wrong
    with another."""
    config = load_config(home, file)
    path = file or home / "config.toml"
    return {
        "file": str(path),
        "there": path.exists(),
        "roles": sorted(config.roles),
        "version": VERSION,
        "schema": CURRENT,
    }


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m engine.settings_tool", description=__doc__)
    parser.add_argument("what", choices=("check", "example"))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    args = parser.parse_args(argv)
    try:
        if args.what == "check":
            print(json.dumps(check(args.home, args.config)))
        else:
            print(json.dumps({"text": example()}))
    except Peer2PromptError as error:
        print(json.dumps({"error": error.as_dict()}))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
