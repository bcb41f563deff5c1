"""The options of `peer2prompt config ...`. Declarations only."""

from __future__ import annotations

from pathlib import Path

from tui.cli.argtypes import Subparsers, branch
from tui.cli.options import command
from tui.cli.options_service import add_wait


def add_config(group: Subparsers) -> None:
    config = branch(
        group,
        "config",
        "the node's settings: what they mean, whether a file is good",
        ("peer2prompt config show --changed", ""),
        ("peer2prompt config example > config.toml", ""),
    )
    show = command(
        config,
        "show",
        "cmd_config:show",
        "every setting of the running node with its default and meaning",
        ("peer2prompt config show --changed", "only what stands in the file"),
    )
    show.add_argument("--changed", action="store_true", help="only what stands in the file")
    check = command(
        config,
        "check",
        "cmd_config:check",
        "say what is wrong with a settings file, without starting anything",
        ("peer2prompt config check", "config.toml in the home"),
        ("peer2prompt config check --config relay.toml", ""),
    )
    check.add_argument("--config", type=Path, metavar="FILE", help="settings to look at")
    reload = command(
        config,
        "reload",
        "cmd_role:reload",
        "have the running node read its settings again, and say what waits for a restart",
        ("peer2prompt config reload", "roles, mailboxes, mint exits, the API, a ghost's terms"),
    )
    add_wait(reload, 30.0, "how long what runs for a role that ends may go on")
    command(
        config,
        "example",
        "cmd_config:example",
        "print a settings file with everything commented out at its default",
        ("peer2prompt config example > config.toml", ""),
    )
