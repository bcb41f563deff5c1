"""A store of every version there ever was comes forward with all that is in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from wallet.store import KeyFile, Store, schema
from wallet.store.core import schema as used

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("version", [step.version for step in schema.STEPS])
async def test_from_each_version(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key = tmp_path / "store.db", KeyFile(tmp_path / "key", create=True)
    then = tuple(step for step in schema.STEPS if step.version <= version)
    with monkeypatch.context() as patch:
        patch.setattr(used, "migrate", partial(schema.migrate, steps=then))
        store = await Store.open(path, key, create=True)
    await store.settings.set("theme", "paper")
    await store.put_secret("wallet", "words", b"abandon ability")
    await store.run(
        lambda tx: tx.execute(
            "INSERT INTO proofs (secret, mint, keyset_id, amount, signature, state, created)"
            " VALUES ('s', 'https://m', '00ab', 4, x'02', 'available', 1)"
        )
    )
    await store.run(lambda tx: tx.counters.take("00ab", 7))
    await store.run(lambda tx: tx.operations.add("op", "send", "pending", "https://m", "{}"))
    await store.run(lambda tx: tx.history.add("mint", "https://m", 4))
    await store.credits.add(b"\x01" * 32, 1000)
    await store.run(
        lambda tx: tx.execute(
            "INSERT INTO chat_sessions (session_id, title, model, created, updated)"
            " VALUES ('s', 'Onions', 'small', 1, 2)"
        )
    )
    row = await store.run(lambda tx: tx.row("SELECT version FROM schema_version"))
    assert row == (version,)
    await store.aclose()

    async with await Store.open(path, key) as store:
        row = await store.run(lambda tx: tx.row("SELECT version FROM schema_version"))
        assert row == (schema.CURRENT,)
        assert await store.settings.get("theme") == "paper"
        assert await store.get_secret("wallet", "words") == b"abandon ability"
        assert await store.run(lambda tx: tx.proofs.sums()) == {"https://m": (4, 0, 0, 0)}
        assert await store.run(lambda tx: tx.counters.next("00ab")) == 7
        (op,) = await store.run(lambda tx: tx.operations.open())
        assert (op.op_id, op.state) == ("op", "pending")
        assert await store.credits.get(b"\x01" * 32) == 1000
        (chat,) = await store.sessions.list()
        assert chat.title == "Onions"
        await store.sessions.create("new", "small")


async def test_steps_are_numbered_without_gaps_and_only_ever_added() -> None:
    assert [step.version for step in schema.STEPS] == list(range(1, schema.CURRENT + 1))
    assert all(1 <= step.readable_by <= step.version for step in schema.STEPS)
    # Only the last one is asked: it must not let in again whom an earlier one kept out.
    readable = [step.readable_by for step in schema.STEPS]
    assert readable == sorted(readable)
