"""What the store keeps for the engine: settings, guards, conversations, receipts, books."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_trio
import trio

from tests.wallet.support import SESSION, open_store
from wallet.ecash.types import Proof
from wallet.errors import InsufficientFunds, StoreError
from wallet.store import BilledAnswer, Store, Transaction

pytestmark = pytest.mark.trio


@pytest_trio.trio_fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store(tmp_path) as opened:
        yield opened


async def test_settings(store: Store) -> None:
    assert await store.settings.get("theme") is None
    assert await store.settings.get("theme", "dark") == "dark"
    await store.settings.set("theme", "light")
    await store.settings.set("theme", "paper")
    assert await store.settings.all() == {"theme": "paper"}
    await store.settings.delete("theme")
    assert await store.settings.all() == {}


async def test_secrets(store: Store) -> None:
    assert await store.secrets.put_if_absent("a", "k", b"first") == b"first"
    assert await store.secrets.put_if_absent("a", "k", b"second") == b"first"
    await store.put_secret("a", "j", b"x")
    assert await store.secrets.keys("a") == ["j", "k"]
    assert await store.get_secret("b", "k") is None
    await store.secrets.delete("a", "j")
    assert await store.get_secret("a", "j") is None


async def test_guards(store: Store) -> None:
    await store.guards.put("b", {"since": 1})
    await store.guards.put("a", {"since": 2})
    await store.guards.put("b", {"since": 3})
    assert await store.guards.all() == {"a": {"since": 2}, "b": {"since": 3}}
    assert list(await store.guards.all()) == ["a", "b"]
    assert await store.guards.get("b") == {"since": 3}
    await store.guards.delete("b")
    assert await store.guards.get("b") is None


async def test_conversations(store: Store) -> None:
    first = await store.sessions.create("First", "m1")
    second = await store.sessions.create("Second", "m2", session_id="chosen")
    assert second.session_id == "chosen"
    await store.messages.add(first.session_id, "user", "hello")
    answer = await store.messages.add(first.session_id, "assistant", "hi", {"cost_msat": 5})
    await store.messages.update(answer.message_id, text="hi there", meta={"cost_msat": 6})
    listed = await store.messages.list(first.session_id)
    assert [(m.role, m.text) for m in listed] == [("user", "hello"), ("assistant", "hi there")]
    assert listed[1].meta == {"cost_msat": 6}
    assert [s.title for s in await store.sessions.list()] == ["First", "Second"]
    assert (await store.sessions.list())[0].messages == 2
    assert await store.sessions.update(second.session_id, pinned=True, title="Pinned")
    assert (await store.sessions.list())[0].title == "Pinned"
    assert await store.sessions.update(second.session_id, archived=True)
    assert [s.title for s in await store.sessions.list()] == ["First"]
    assert len(await store.sessions.list(archived=True)) == 2
    assert await store.sessions.delete(first.session_id)
    assert await store.messages.list(first.session_id) == []
    assert not await store.sessions.rename("nobody", "x")
    assert await store.sessions.get(first.session_id) is None
    assert "hello" not in repr(listed)


async def test_messages_by_page(store: Store) -> None:
    session = await store.sessions.create("t", "m")
    for n in range(5):
        await store.messages.add(session.session_id, "user", str(n))
    last = await store.messages.list(session.session_id, limit=2)
    assert [m.text for m in last] == ["3", "4"]
    before = await store.messages.list(session.session_id, limit=2, before=last[0].message_id)
    assert [m.text for m in before] == ["1", "2"]


async def test_a_message_needs_its_session(store: Store) -> None:
    with pytest.raises(StoreError, match="rule"):
        await store.messages.add("nobody", "user", "x")


async def test_receipts(store: Store) -> None:
    await store.receipts.add(SESSION, 1, b"raw", b"sig", side="ghost", cost_msat=7)
    await store.receipts.add(SESSION, 1, b"raw", b"sig", side="client", cost_msat=7)
    assert await store.receipts.countersign(SESSION, 1, b"ours")
    assert not await store.receipts.countersign(SESSION, 2, b"ours")
    (ghost,) = await store.receipts.list(SESSION, side="ghost")
    (client,) = await store.receipts.list(SESSION, side="client")
    assert (ghost.client_sig, client.client_sig) == (b"ours", None)


def billed(n: int, cost_msat: int) -> BilledAnswer:
    return BilledAnswer(n, b"raw", b"sig", "m", 3, 5, cost_msat, 1_000.0)


async def test_credits(store: Store) -> None:
    assert await store.credits.open(SESSION, b"key") == 0
    assert await store.credits.add(SESSION, 5000) == 5000
    assert await store.credits.bill(SESSION, billed(1, 1500)) == 3500
    with pytest.raises(InsufficientFunds):
        await store.credits.bill(SESSION, billed(2, 3501))
    assert await store.credits.get(SESSION) == 3500
    # What could not be charged left no receipt and no earning either.
    assert [r.n for r in await store.receipts.list(SESSION, side="ghost")] == [1]
    assert [e.cost_msat for e in await store.earnings.recent()] == [1500]
    assert await store.credits.open(SESSION, b"other") == 3500
    record = await store.credits.record(SESSION)
    assert record is not None
    assert record.session_key == b"key"
    assert await store.credits.total_msat() == 3500
    assert await store.credits.forget(older_than=0) == 0
    assert await store.credits.forget(older_than=9e12) == 3500
    assert await store.credits.record(SESSION) is None


async def test_earnings(store: Store) -> None:
    for n, model in enumerate(["a", "b", "a"]):
        await store.earnings.add(model, 10, 20, 100 * (n + 1), ts=1000.0 + 60 * n)
    await store.earnings.add("a", 5, 0, 0, refused=True, ts=1130.0)
    totals = await store.earnings.totals()
    assert (totals.msat, totals.answers, totals.refused) == (600, 3, 1)
    assert (await store.earnings.totals(since=1060.0)).msat == 500
    assert await store.earnings.by_model() == [("a", 2, 400), ("b", 1, 200)]
    assert [e.cost_msat for e in await store.earnings.recent(2)] == [300, 200]
    series = await store.earnings.series(now=1130.0, bucket_s=60.0, buckets=3)
    assert series == [(960.0, 100), (1020.0, 200), (1080.0, 300)]


async def test_a_transaction_is_whole(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.credits.add(SESSION, 1000)
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="middle"):
        await store.run(work)
    assert await store.credits.get(SESSION) == 0


async def test_a_cancelled_caller_leaves_no_half_change(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.credits.add(SESSION, 1000)
        trio.from_thread.run_sync(scope.cancel)
        tx.credits.add(SESSION, 1000)

    with trio.CancelScope() as scope:
        await store.run(work)
    assert await store.credits.get(SESSION) == 2000


async def test_counters_are_never_given_twice(store: Store) -> None:
    first = await store.run(lambda tx: tx.counters.take("k", 5))
    second = await store.run(lambda tx: tx.counters.take("k", 2))
    await store.run(lambda tx: tx.counters.raise_to("k", 3))
    assert (first, second) == (0, 5)
    assert await store.run(lambda tx: tx.counters.next("k")) == 7
    await store.run(lambda tx: tx.counters.raise_to("k", 100))
    assert await store.run(lambda tx: tx.counters.take("k", 1)) == 100


async def test_many_tasks_share_the_connection(store: Store) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(store.credits.add, SESSION, 10)
    assert await store.credits.get(SESSION) == 200


async def test_proofs_move_between_states(store: Store) -> None:
    coins = [Proof(4, "00ad268c4d1f5826", f"s{n}", b"C") for n in range(3)]

    def work(tx: Transaction) -> Any:
        assert tx.proofs.add("mint", coins) == 12
        assert tx.proofs.add("mint", coins[:1]) == 0
        tx.proofs.reserve(coins[:2], "op")
        with pytest.raises(RuntimeError):
            tx.proofs.reserve(coins[:1], "other")
        tx.operations.add("op", "swap", "held", "mint", "{}")
        return tx.proofs.sums()

    assert await store.run(work) == {"mint": (4, 0, 8, 0)}
    assert "s0" not in repr(coins)
    await store.run(lambda tx: tx.proofs.release("op"))
    assert await store.run(lambda tx: tx.proofs.sums()) == {"mint": (12, 0, 0, 0)}


async def test_an_unfinished_answer_is_completed_in_its_message(store: Store) -> None:
    chat = await store.sessions.create("First", "m1")
    await store.messages.add(chat.session_id, "user", "what?")
    message_id = await store.unfinished.begin(chat.session_id, "ask1", b"one")
    (record,) = await store.unfinished.list()
    assert (record.message_id, record.session_id, record.ask_id) == (
        message_id,
        chat.session_id,
        "ask1",
    )
    assert (record.data, record.text) == (b"one", "")
    await store.unfinished.update(message_id, b"two")
    await store.unfinished.write(message_id, "An oni")
    (record,) = await store.unfinished.list()
    assert (record.data, record.text) == (b"two", "An oni")
    assert "An oni" not in repr(record)
    assert "two" not in repr(record)
    _, answer = await store.messages.list(chat.session_id)
    assert answer.meta == {"state": "streaming"}
    await store.unfinished.finish(message_id, "An onion.", {"state": "done"})
    await store.unfinished.write(message_id, "An oni")
    await store.unfinished.update(message_id, b"three")
    _, answer = await store.messages.list(chat.session_id)
    assert (answer.text, answer.meta) == ("An onion.", {"state": "done"})
    assert await store.unfinished.list() == []


async def test_an_unfinished_answer_goes_with_its_chat(store: Store) -> None:
    chat = await store.sessions.create("First", "m1")
    first = await store.unfinished.begin(chat.session_id, "ask1", b"one")
    await store.unfinished.begin(chat.session_id, "ask2", b"two")
    await store.unfinished.drop(first)
    assert len(await store.messages.list(chat.session_id)) == 1
    await store.sessions.delete(chat.session_id)
    assert await store.unfinished.list() == []
