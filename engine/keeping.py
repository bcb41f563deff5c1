"""The store's upkeep: passphrase, backup and wiping for a running node, and without one.

    python -m engine.keeping restore --home DIR FILE
    python -m engine.keeping wipe --home DIR

The faces start the second form when no node runs. What happens to files is the business of
`wallet.store.keeping`; which files a home has is known here.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import trio

from engine.config import STORE_NAME, NodeConfig, load_config
from engine.control.protocol.frames import Empty
from engine.control.protocol.node import Backup, Lock, Wiped
from engine.control.server import Handler
from engine.errors import ConfigError
from engine.json_tool import run_tool
from wallet.store import Passphrase, Store, keeping


class KeepingHandlers:
    """Answers `store.*` and `wipe` for an open store; `stop` ends the node at once."""

    def __init__(self, store: Store, config: NodeConfig, stop: Callable[[], None]) -> None:
        self._store = store
        self._config = config
        self._stop = stop

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {
            "store.passphrase": self.passphrase,
            "store.check": self.check,
            "store.backup": self.backup,
            "wipe": self.wipe,
        }

    async def passphrase(self, params: dict[str, Any]) -> Empty:
        """Change what opens the store."""
        if self._config.store.key_file is not None:
            raise ConfigError(
                "This store is opened by a key file, which has no passphrase.",
                kept="Nothing was changed.",
            )
        await keeping.change_secret(
            self._store, Passphrase(params["old"]), Passphrase(params["new"])
        )
        return Empty()

    async def check(self, params: dict[str, Any]) -> Lock:
        """Whether this passphrase opens the store: for a screen that locks itself. An empty one
        only asks how the store is opened."""
        if self._config.store.key_file is not None:
            return Lock(passphrase=False)
        if params["passphrase"]:
            await keeping.check_secret(self._store, Passphrase(params["passphrase"]))
        return Lock()

    async def backup(self, params: dict[str, Any]) -> Backup:
        """Write the encrypted store to a file."""
        target = Path(params["path"])
        if not target.is_absolute():
            raise ConfigError("The path of a backup must be absolute.")
        return Backup(path=str(target), bytes=await keeping.back_up(self._store, target))

    async def wipe(self, _params: dict[str, Any]) -> Wiped:
        """Destroy the key, the store and the log, then end the node without draining."""
        with trio.CancelScope(shield=True):
            removed = await trio.to_thread.run_sync(wipe_home, self._config)
        self._stop()
        return Wiped(removed=removed)


def wipe_home(config: NodeConfig) -> list[str]:
    """Everything secret in a home: the key first. Settings stay. Names of what was removed."""
    removed = keeping.wipe(config.home / STORE_NAME, config.store.key_file)
    log = config.home / "log"
    if log.exists():
        shutil.rmtree(log, ignore_errors=True)
        removed.append(log.name)
    return removed


def main(argv: list[str] | None = None) -> int:
    """The command line without a node; prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m engine.keeping", description=__doc__)
    parser.add_argument("what", choices=("restore", "wipe"))
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    args = parser.parse_intermixed_args(argv)
    return run_tool(lambda: _done(args.what, args.home, args.file))


def _done(what: str, home: Path, file: Path | None) -> dict[str, object]:
    if what == "wipe":
        return {"removed": wipe_home(load_config(home))}
    if file is None:
        raise ConfigError("Name the backup to bring back.")
    keeping.bring_back(file, home / STORE_NAME)
    return {"restored": str(home / STORE_NAME)}


if __name__ == "__main__":
    sys.exit(main())
