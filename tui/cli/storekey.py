"""Whether a node needs a passphrase typed before it starts, judged from its settings file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from tui.cli.prompts import ask_passphrase

PASSPHRASE_FILE = "PEER2PROMPT_PASSPHRASE_FILE"


def passphrase_for(home: Path, config: Path | None) -> str | None:
    """The passphrase to hand to the node, or None when it finds its secret by itself.

    A settings file that cannot be read is left for the node to complain about.
    """
    if os.environ.get(PASSPHRASE_FILE) or _names_a_secret(config or home / "config.toml"):
        return None
    sidecars = [*home.glob("*.kdf"), *home.glob("*/*.kdf")]
    return ask_passphrase(new=not sidecars)


def _names_a_secret(config: Path) -> bool:
    try:
        store = tomllib.loads(config.read_text("utf-8")).get("store", {})
    except FileNotFoundError:
        return False
    except (OSError, ValueError, RecursionError):
        return True
    names = ("key_file", "passphrase_file", "credential")
    return isinstance(store, dict) and any(store.get(name) for name in names)
