"""A wallet in the middle of everything, in the store of every earlier version: no sat is lost.

Released programs are not kept, so an old store is made from a new one: a store of the old steps
into which goes everything that it has room for, the unfinished operations included.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from tests.wallet.fake_mint import URL, FakeMint, an_invoice
from tests.wallet.support import SESSION, available, fund, ticking
from wallet.errors import TokenInvalid, WalletError
from wallet.store import KeyFile, Store, Transaction, schema
from wallet.store.core import schema as used
from wallet.store.rows import Row
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]

Tables = dict[str, tuple[list[str], list[Row]]]
LEDGER = {
    *("secrets", "mints", "keysets", "counters", "operations", "proofs", "history"),
    *("mint_quotes", "melt_quotes"),
}


def columns(tx: Transaction) -> dict[str, list[str]]:
    names = [name for (name,) in tx.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: [column for _, column, *_ in tx.rows(f"PRAGMA table_info({name})")]
        for name in names
        if name != "schema_version" and not name.startswith(("sqlite_", "message_words"))
    }


def dump(tx: Transaction) -> Tables:
    return {
        name: (found, tx.rows(f"SELECT {', '.join(found)} FROM {name}"))
        for name, found in columns(tx).items()
    }


def fill(tx: Transaction, tables: Tables) -> None:
    """Everything the store has room for, parents before their children."""
    for name, room in columns(tx).items():
        found, rows = tables[name]
        common = [column for column in found if column in room]
        marks = ", ".join("?" * len(common))
        for row in rows:
            tx.execute(
                f"INSERT INTO {name} ({', '.join(common)}) VALUES ({marks})",
                [value for column, value in zip(found, row, strict=True) if column in common],
            )


def laid_out(tx: Transaction) -> list[Row]:
    """The whole layout, however its statements were put together."""
    return [
        (table, *column)
        for table in sorted(columns(tx))
        for column in tx.rows(f"PRAGMA table_info({table})")
    ] + tx.rows("SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' ORDER BY name")


def _only(path: str, fate: str, asked: str) -> str:
    """Nor can the wallet look what became of it."""
    looks = ("/v1/checkstate", "/v1/restore", "/v1/melt/quote/bolt11")
    return fate if asked == path or asked.startswith(looks) else ""


async def in_the_middle(wallet: Wallet, mint: FakeMint) -> None:
    """Money, and every kind of operation that can be cut short, cut short."""
    await wallet.add_mint(URL)
    await fund(wallet, URL, 300)
    await wallet.send(URL, 21)
    await wallet.pay_prepare(URL, 30)
    await wallet.refund_outputs(URL, 9)
    token = await wallet.send(URL, 5)
    quote = await wallet.request_mint(URL, 64)
    melt = await wallet.melt_quote(URL, an_invoice(11))
    cut_short = (
        ("/v1/swap", "lose_answer", partial(wallet.receive, token)),
        ("/v1/mint/bolt11", "lose_answer", partial(wallet.complete_mint, quote.quote_id)),
        ("/v1/melt/bolt11", "lose_answer", partial(wallet.melt, melt.quote_id)),
        ("/v1/swap", "lose_request", partial(wallet.split_ahead, URL, [3] * 6)),
    )
    for path, fate, move in cut_short:
        mint.faults = partial(_only, path, fate)
        with pytest.raises(WalletError):
            await move()
    mint.faults = lambda _path: ""


@pytest.mark.parametrize("version", [step.version for step in schema.STEPS])
async def test_money_of_an_older_store_is_all_there(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mint = FakeMint()
    key = KeyFile(tmp_path / "key", create=True)
    async with await Store.open(tmp_path / "new.db", key, create=True, clock=ticking()) as store:
        wallet = Wallet(store, lambda _url: mint)
        await wallet.open()
        await in_the_middle(wallet, mint)
        assert len(await store.run(lambda tx: tx.operations.open())) >= 5
        await store.credits.add(SESSION, 1000)
        await store.settings.set("theme", "paper")
        chat = await store.sessions.create("Onions", "small")
        await store.messages.add(chat.session_id, "user", "How deep?")
        tables = await store.run(dump)
        layout = await store.run(laid_out)
        await wallet.aclose()
    assert {name for name, (_, rows) in tables.items() if rows} >= LEDGER

    steps = tuple(step for step in schema.STEPS if step.version <= version)
    path = tmp_path / "old.db"
    with monkeypatch.context() as patch:
        patch.setattr(used, "migrate", partial(schema.migrate, steps=steps))
        async with await Store.open(path, key, create=True) as store:
            await store.run(lambda tx: fill(tx, tables))

    async with await Store.open(path, key, clock=ticking(1_900_000_000.0)) as store:
        assert await store.run(laid_out) == layout
        assert await store.run(dump) == tables
        assert await store.run(lambda tx: tx.rows("PRAGMA foreign_key_check")) == []
        assert await store.run(lambda tx: tx.row("PRAGMA integrity_check")) == ("ok",)
        wallet = Wallet(store, lambda _url: mint)
        await wallet.open()
        for _ in range(3):
            await wallet.recover()
        for token in await wallet.sent_tokens():
            with suppress(TokenInvalid):  # the lost swap has taken one back already
                await wallet.receive(token.token)
        assert await wallet.open_operations() <= 1  # the refund that a ghost may still make
        assert await available(wallet) == mint.outstanding > 300
        await wallet.aclose()


@pytest.mark.parametrize("version", [step.version for step in schema.STEPS[1:]])
async def test_a_step_that_is_cut_short_is_taken_again(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Power fails after any statement of a step: the store stays at the step before, and the next
    start brings it forward."""
    path, key = tmp_path / "store.db", KeyFile(tmp_path / "key", create=True)
    before = tuple(step for step in schema.STEPS if step.version < version)
    step, migrate = schema.STEPS[version - 1], schema.migrate
    with monkeypatch.context() as patch:
        patch.setattr(used, "migrate", partial(schema.migrate, steps=before))
        async with await Store.open(path, key, create=True) as store:
            await store.settings.set("theme", "paper")
            for done in range(len(step.statements) + 1):
                cut = schema.Step(version, step.readable_by, (*step.statements[:done], "CUT"))
                with pytest.raises(sqlcipher.OperationalError, match="CUT"):
                    migrate(store._connection, (*before, cut))
                row = await store.run(lambda tx: tx.row("SELECT version FROM schema_version"))
                assert row == (version - 1,)
    async with await Store.open(path, key) as store:
        row = await store.run(lambda tx: tx.row("SELECT version FROM schema_version"))
        assert row == (schema.CURRENT,)
        assert await store.settings.get("theme") == "paper"


async def test_what_is_long_over_is_forgotten_but_no_token_that_may_come_back(
    tmp_path: Path,
) -> None:
    mint = FakeMint()
    key = KeyFile(tmp_path / "key", create=True)
    for years in range(3):
        clock = ticking(1_800_000_000.0 + years * 31_536_000)
        async with await Store.open(tmp_path / "store.db", key, create=True, clock=clock) as store:
            wallet = Wallet(store, lambda _url: mint)
            await wallet.open()
            rows = await store.run(lambda tx: tx.rows("SELECT kind FROM operations"))
            if years == 0:
                await wallet.add_mint(URL)
                await fund(wallet, URL, 100)
                await wallet.send(URL, 21)
            elif years == 1:
                assert rows == [("send",)]
                (sent,) = await wallet.sent_tokens()
                assert await wallet.receive(sent.token) == 21
            else:
                assert ("receive",) not in rows
                assert await available(wallet) == mint.outstanding == 100
            await wallet.aclose()
