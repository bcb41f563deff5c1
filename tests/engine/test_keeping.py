"""Passphrase, backup and wiping by the control methods, and by the program without a node."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine import keeping
from engine.config import STORE_NAME, NodeConfig, StoreConfig, parse_config
from engine.control.protocol.node import Lock
from engine.errors import ConfigError
from engine.keeping import KeepingHandlers
from engine.store_opening import open_store, store_secret
from tests.helpers.patience import PATIENCE_S
from wallet.errors import StoreError, StoreMissing, WrongPassphrase
from wallet.store import KdfCost, KeyFile, Passphrase, Store

pytestmark = pytest.mark.trio
OLD = Passphrase("correct horse", KdfCost.INTERACTIVE)


def without_node(what: str, home: Path, *more: str) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "engine.keeping", what, "--home", str(home), *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return done.returncode, json.loads(done.stdout)


async def test_the_whole_way(tmp_path: Path) -> None:
    """Change the passphrase, back up, wipe, bring back: the new passphrase opens it."""
    home, backup = tmp_path / "home", tmp_path / "backup"
    config = NodeConfig(home=home, roles=frozenset({"client"}))
    (home / "log").mkdir(parents=True)
    (home / "log" / "node.log").write_text("started")
    stopped: list[bool] = []
    async with await Store.open(home / STORE_NAME, OLD, create=True) as store:
        table = KeepingHandlers(store, config, lambda: stopped.append(True)).table()
        await store.settings.set("name", "value")
        with pytest.raises(WrongPassphrase):
            await table["store.passphrase"]({"old": "wrong", "new": "x"})
        await table["store.passphrase"]({"old": OLD.text, "new": "battery staple"})
        with pytest.raises(ConfigError, match="absolute"):
            await table["store.backup"]({"path": "backup"})
        await table["store.backup"]({"path": str(backup)})
        assert without_node("restore", home, str(backup))[0] == StoreError.exit_code
        await table["wipe"]({})
    assert stopped == [True]
    assert list(home.iterdir()) == []
    with pytest.raises(StoreMissing):
        await Store.open(home / STORE_NAME, OLD)
    assert without_node("restore", home, str(backup))[0] == 0
    async with await Store.open(home / STORE_NAME, Passphrase("battery staple")) as store:
        assert await store.settings.get("name") == "value"


async def test_a_key_file_has_no_passphrase_and_is_wiped_too(tmp_path: Path) -> None:
    key = tmp_path / "node.key"
    config = NodeConfig(home=tmp_path, roles=frozenset({"client"}), store=StoreConfig(key_file=key))
    async with await open_store(config) as store:
        table = KeepingHandlers(store, config, lambda: None).table()
        with pytest.raises(ConfigError, match="key file"):
            await table["store.passphrase"]({"old": "", "new": "x"})
    assert "node.key" in keeping.wipe_home(config)
    assert not key.exists()


async def test_wiping_without_a_node(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[store]\nkey_file = "node.key"\n')
    key = KeyFile(tmp_path / "node.key", create=True)
    await (await Store.open(tmp_path / STORE_NAME, key, create=True)).aclose()
    code, said = without_node("wipe", tmp_path)
    assert (code, said["removed"]) == (0, ["node.key", "store.db.kdf", "store.db", "store.db.lock"])
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]
    assert without_node("wipe", tmp_path) == (0, {"removed": []})


async def test_a_systemd_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"store": {"credential": "peer2prompt"}}
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="systemd"):
        parse_config(tmp_path, settings, base=tmp_path)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "peer2prompt").write_text("correct horse\n")
    config = parse_config(tmp_path, settings, base=tmp_path)
    assert store_secret(config.store, tmp_path) == Passphrase("correct horse")
    with pytest.raises(ConfigError):
        parse_config(tmp_path, {"store": {"credential": "../x"}}, base=tmp_path)


async def test_a_locked_screen_asks_for_the_passphrase(tmp_path: Path) -> None:
    config = NodeConfig(home=tmp_path, roles=frozenset({"client"}))
    secret = Passphrase("open sesame", KdfCost.INTERACTIVE)
    async with await Store.open(tmp_path / STORE_NAME, secret, create=True) as store:
        check = KeepingHandlers(store, config, lambda: None).table()["store.check"]
        assert await check({"passphrase": ""}) == Lock(passphrase=True)
        assert await check({"passphrase": "open sesame"}) == Lock(passphrase=True)
        with pytest.raises(WrongPassphrase, match="does not open this store"):
            await check({"passphrase": "guess"})
    home = tmp_path / "other"
    home.mkdir()
    with_key = NodeConfig(
        home=home, roles=frozenset({"client"}), store=StoreConfig(key_file=home / "node.key")
    )
    async with await open_store(with_key) as store:
        check = KeepingHandlers(store, with_key, lambda: None).table()["store.check"]
        assert await check({"passphrase": "anything"}) == Lock(passphrase=False)
