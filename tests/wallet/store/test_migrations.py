"""A store of every version there ever was comes forward with all that is in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from wallet.store import KeyFile, Store, Transaction, schema
from wallet.store.core import schema as used

pytestmark = pytest.mark.trio
TREE = 8
"""The step that made trees of the chats; older stores have them as lists."""


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
    if version < TREE:
        await store.run(lambda tx: two_chats(tx, unfinished=version >= 2))
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
        titles = [chat.title for chat in await store.sessions.list()]
        assert titles == (["Leeks", "Onions", "Empty"] if version < TREE else ["Onions"])
        await store.sessions.create("new", "small")
        if version < TREE:
            await as_branches(store, unfinished=version >= 2)


def two_chats(tx: Transaction, *, unfinished: bool) -> None:
    """Messages of two chats in turn, as every older program wrote them."""
    for chat, title, updated in (("t", "Leeks", 3), ("u", "Empty", 1)):
        tx.execute(
            "INSERT INTO chat_sessions (session_id, title, model, created, updated)"
            " VALUES (?, ?, 'small', 1, ?)",
            (chat, title, updated),
        )
    for place in range(6):
        chat, role = "st"[place % 2], ("user", "assistant", "user")[place // 2]
        tx.execute(
            "INSERT INTO messages (session_id, role, text, created, meta) VALUES (?, ?, ?, 1, ?)",
            (chat, role, f"Wörter {chat}{place // 2}", '{"state": "done"}'),
        )
    if unfinished:
        number = tx.insert(
            "INSERT INTO messages (session_id, role, text, created, meta)"
            " VALUES ('t', 'assistant', 'half', 1, '{\"state\": \"streaming\"}')"
        )
        tx.execute("INSERT INTO unfinished_answers VALUES (?, 'ask', x'01', 1)", (number,))


async def as_branches(store: Store, *, unfinished: bool) -> None:
    """Each chat is one branch in its old order, found by its words, and can be gone on with."""
    said = [m.text for m in await store.messages.list("s")]
    assert said == [f"Wörter s{n}" for n in range(3)]
    other = await store.messages.list("t")
    assert [m.text for m in other][:3] == [f"Wörter t{n}" for n in range(3)]
    assert other[0].parent is None
    assert [m.parent for m in other[1:]] == [m.message_id for m in other[:-1]]
    assert await store.messages.list("u") == []
    assert [hit.session_id for hit in await store.search.find("worter t1")] == ["t"]
    if unfinished:
        (left,) = await store.unfinished.list()
        assert (left.text, left.message_id) == ("half", other[-1].message_id)
        await store.unfinished.finish(left.message_id, "whole", {"state": "done"})
        assert len(await store.search.find("whole")) == 1
    added = await store.messages.add("t", "user", "on")
    assert added.parent == other[-1].message_id
    await store.messages.go_to("t", other[0].message_id, newest=False)
    await store.messages.add("t", "assistant", "beside")
    assert [m.text for m in await store.messages.list("t")] == ["Wörter t0", "beside"]


async def test_steps_are_numbered_without_gaps_and_only_ever_added() -> None:
    assert [step.version for step in schema.STEPS] == list(range(1, schema.CURRENT + 1))
    assert all(1 <= step.readable_by <= step.version for step in schema.STEPS)
    # Only the last one is asked: it must not let in again whom an earlier one kept out.
    readable = [step.readable_by for step in schema.STEPS]
    assert readable == sorted(readable)
