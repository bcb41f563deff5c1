"""The options of `peer2prompt store ...` and `peer2prompt wipe`. Declarations only."""

from __future__ import annotations

from tui.cli.argtypes import Subparsers, branch
from tui.cli.options import command


def add_store(group: Subparsers) -> None:
    store = branch(
        group,
        "store",
        "the encrypted store: passphrase, backup, restore",
        ("peer2prompt store backup ~/p2p.backup", ""),
        ("peer2prompt store passphrase", ""),
    )
    command(
        store,
        "passphrase",
        "cmd_store:passphrase",
        "change the passphrase of the running node's store",
        ("peer2prompt store passphrase", "asks for the old and the new one"),
    )
    backup = command(
        store,
        "backup",
        "cmd_store:backup",
        "write the encrypted store to one file",
        ("peer2prompt store backup ~/p2p.backup", "opened by the passphrase of today"),
    )
    restore = command(
        store,
        "restore",
        "cmd_store:restore",
        "bring a backup back into a home that has no store",
        ("peer2prompt store restore ~/p2p.backup", "the node must not run"),
    )
    for parser in (backup, restore):
        parser.add_argument("file", metavar="FILE", help="the backup")
    wipe = command(
        group,
        "wipe",
        "cmd_store:wipe",
        "destroy the wallet, the conversations and all keys of this home",
        ("peer2prompt wipe", "asks once"),
        ("peer2prompt wipe --yes", "does not ask"),
    )
    wipe.add_argument("--yes", action="store_true", help="do not ask")
