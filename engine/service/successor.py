"""The program that takes a node's place in its process: looked at before, started afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, NoReturn

import trio

from engine.config import NodeConfig
from engine.errors import ConfigError
from wallet.store.schema import CURRENT

LOOK_S = 120.0


async def check_successor(config: NodeConfig) -> None:
    """Whether the program that is installed now would start on these settings and this store.
    Raises ConfigError when it would not, or when nothing could open the store for it."""
    if config.store.passphrase_fd is not None:
        raise ConfigError(
            "The passphrase of this store was typed in, and nobody keeps it to start another "
            "program with.",
            kept="The node goes on.",
            hint="Stop the node and start the new program: peer2prompt node drain",
        )
    told = await trio.to_thread.run_sync(_ask_it, config)
    if "error" in told:
        raise ConfigError(
            f"The program that is installed now refuses the settings: {told['error']['message']}",
            kept="The node goes on with the old one.",
        )
    if int(told.get("schema", 0)) < CURRENT:
        raise ConfigError(
            "The program that is installed now is older than the one that runs, and cannot read "
            "its store.",
            kept="The node goes on.",
        )


def _ask_it(config: NodeConfig) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "engine.settings_tool", "check"]
    command += ["--home", str(config.home)]
    if config.file is not None:
        command += ["--config", str(config.file)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LOOK_S, check=False)
        told: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            "The program that is installed now does not start.",
            kept="The node goes on with the old one.",
            hint="Try: peer2prompt config check",
        ) from error
    return told


def become_successor() -> NoReturn:
    """The same command in the same process, with what is installed by now."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
