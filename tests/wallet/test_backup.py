"""A backup that is older than the money: nothing spent is shown, nothing received is missing, and
no counter is used twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.mint_proxy import MintProxy
from tests.wallet.support import available, fund
from wallet.errors import MintUnreachable
from wallet.store import KeyFile, Store, keeping
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]


async def opened(path: Path, key: KeyFile) -> tuple[Store, Wallet]:
    store = await Store.open(path, key, create=True)
    wallet = Wallet(store)
    await wallet.open()
    return store, wallet


async def test_an_old_backup(tmp_path: Path, proxy: MintProxy) -> None:
    key, backup = KeyFile(tmp_path / "key", create=True), tmp_path / "backup"
    store, wallet = await opened(tmp_path / "a.db", key)
    await wallet.add_mint(proxy.url)
    await fund(wallet, proxy.url, 100)
    await keeping.back_up(store, backup)
    await fund(wallet, proxy.url, 50)  # came after the backup
    token = await wallet.send(proxy.url, 30)  # went after it
    assert await available(wallet) == 120
    await wallet.aclose()
    await store.aclose()

    keeping.bring_back(backup, tmp_path / "b.db")
    store, wallet = await opened(tmp_path / "b.db", key)
    with pytest.raises(MintUnreachable, match="backup"):
        await wallet.split_ahead(proxy.url, [7, 9])
    proxy.down = True
    with pytest.raises(MintUnreachable):
        await wallet.catch_up()
    assert await keeping.is_brought_back(store)
    proxy.down = False
    (report,) = await wallet.catch_up()
    assert report.recovered_sat > 0
    # The token is out and unspent: to this wallet its coins are its own again.
    assert await available(wallet) == 150
    assert await wallet.catch_up() == []
    assert not await keeping.is_brought_back(store)
    await wallet.split_ahead(proxy.url, [7, 9])  # counters are ahead of what the mint has signed
    assert await fund(wallet, proxy.url, 5) == 5
    assert token
    await wallet.aclose()
    await store.aclose()


async def test_what_was_spent_since_is_struck_out(tmp_path: Path, proxy: MintProxy) -> None:
    key, backup = KeyFile(tmp_path / "key", create=True), tmp_path / "backup"
    store, wallet = await opened(tmp_path / "a.db", key)
    await wallet.add_mint(proxy.url)
    await fund(wallet, proxy.url, 64)
    await keeping.back_up(store, backup)
    other_store, other = await opened(tmp_path / "other.db", KeyFile(tmp_path / "k2", create=True))
    await other.add_mint(proxy.url)
    assert await other.receive(await wallet.send(proxy.url, 40)) == 40
    for each, its in ((wallet, store), (other, other_store)):
        await each.aclose()
        await its.aclose()
    keeping.bring_back(backup, tmp_path / "b.db")
    store, wallet = await opened(tmp_path / "b.db", key)
    assert await available(wallet) == 64
    await wallet.catch_up()
    assert await available(wallet) == 24
    assert (await wallet.history(1))[0].kind in ("spent", "restore")
    await wallet.aclose()
    await store.aclose()
