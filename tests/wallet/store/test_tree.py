"""The tree of a chat's messages: whatever is done to it, its branches stay whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wallet.support import open_store
from wallet.errors import StoreError
from wallet.store import ChatMessage, Enclosed, Store

pytestmark = pytest.mark.trio


@pytest_trio.trio_fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store(tmp_path) as opened:
        yield opened


async def texts(store: Store, chat: str) -> list[str]:
    return [message.text for message in await store.messages.list(chat)]


async def chain(store: Store, count: int) -> tuple[str, list[ChatMessage]]:
    chat = await store.sessions.create("t", "m")
    roles = ("user", "assistant")
    return chat.session_id, [
        await store.messages.add(chat.session_id, roles[n % 2], str(n)) for n in range(count)
    ]


async def test_another_answer_stands_beside_the_first(store: Store) -> None:
    chat, (question, first, _more) = await chain(store, 3)
    await store.messages.go_to(chat, question.message_id, newest=False)
    second = await store.messages.add(chat, "assistant", "other")
    assert await texts(store, chat) == ["0", "other"]
    both = [first.message_id, second.message_id]
    page = await store.messages.list(chat)
    assert await store.messages.siblings(page) == {second.message_id: both}
    await store.messages.go_to(chat, first.message_id, newest=True)
    assert await texts(store, chat) == ["0", "1", "2"]
    assert await store.messages.siblings(await store.messages.list(chat)) == {
        first.message_id: both
    }


async def test_a_first_question_has_siblings_in_its_own_chat_alone(store: Store) -> None:
    chat, (first, _answer) = await chain(store, 2)
    await chain(store, 2)
    other = await store.messages.add(chat, "user", "again", as_root=True)
    assert await texts(store, chat) == ["again"]
    assert await store.messages.siblings([other]) == {
        other.message_id: [first.message_id, other.message_id]
    }


async def test_messages_of_other_chats_are_no_parents(store: Store) -> None:
    chat, _ = await chain(store, 1)
    _, (foreign,) = await chain(store, 1)
    with pytest.raises(StoreError, match="no such message"):
        await store.messages.add(chat, "user", "x", parent=foreign.message_id)
    with pytest.raises(StoreError, match="no such message"):
        await store.messages.go_to(chat, foreign.message_id, newest=True)
    assert await store.messages.get(chat, foreign.message_id) is None


async def test_pages_of_a_branch_both_ways(store: Store) -> None:
    chat, messages = await chain(store, 9)
    numbers = [message.message_id for message in messages]

    async def page(**cursor: int) -> list[int]:
        found = await store.messages.list(chat, limit=4, **cursor)
        return [message.message_id for message in found]

    assert await page() == numbers[5:]
    assert await page(before=numbers[5]) == numbers[1:5]
    assert await page(before=numbers[1]) == numbers[:1]
    assert await page(after=numbers[0]) == numbers[1:5]
    assert await page(after=numbers[7]) == numbers[8:]
    assert await page(before=10**12) == numbers[5:]


async def test_files_are_kept_in_order_and_go_with_their_message(store: Store) -> None:
    chat, _ = await chain(store, 1)
    files = [Enclosed("b.txt", "text/plain", b"bb"), Enclosed("a.png", "image/png", b"a", "cut")]
    message = await store.messages.add(chat, "user", "see", files=files)
    assert await store.messages.files([message.message_id]) == {message.message_id: files}
    (_, measured) = await store.messages.measure(chat)
    assert (measured.text_bytes, measured.file_bytes) == (3, 3)
    assert (measured.pictures, measured.picture_bytes) == (1, 1)
    assert "bb" not in repr(files)
    await store.sessions.delete(chat)
    assert await store.messages.files([message.message_id]) == {}


async def test_a_dropped_answer_gives_the_place_back_to_the_one_before(store: Store) -> None:
    chat, (question, answer, _more) = await chain(store, 3)
    await store.messages.go_to(chat, question.message_id, newest=False)
    number = await store.unfinished.begin(chat, "a", b"", parent=question.message_id)
    assert await texts(store, chat) == ["0", ""]
    await store.unfinished.drop(number)
    assert await texts(store, chat) == ["0", "1", "2"]
    del answer


async def test_an_answer_does_not_take_the_place_of_a_branch_chosen_meanwhile(
    store: Store,
) -> None:
    chat, (question, first) = await chain(store, 2)
    await store.messages.go_to(chat, question.message_id, newest=False)
    number = await store.unfinished.begin(chat, "a", b"", parent=question.message_id)
    await store.messages.go_to(chat, first.message_id, newest=True)
    await store.unfinished.finish(number, "late", {"state": "done"}, "\x1eraw")
    assert await texts(store, chat) == ["0", "1"]
    found = await store.messages.get(chat, number)
    assert found is not None
    assert (found.parent, found.text, found.raw) == (question.message_id, "late", "\x1eraw")


async def test_a_chat_of_ten_thousand_messages_is_deleted_whole(tmp_path: Path) -> None:
    async with await open_store(tmp_path) as store:
        chat = await store.sessions.create("long", "m")

        def fill(tx: object) -> None:
            execute = tx._connection.execute  # type: ignore[attr-defined]
            parent = None
            for n in range(10_000):
                row = execute(
                    "INSERT INTO messages (session_id, role, text, created, meta, parent)"
                    " VALUES (?, 'user', ?, 1, '{}', ?)",
                    (chat.session_id, f"word{n}", parent),
                )
                parent = row.lastrowid
            execute("UPDATE chat_sessions SET leaf = ?", (parent,))

        await store.run(fill)
        assert len(await store.messages.measure(chat.session_id)) == 10_000
        (last,) = await store.messages.list(chat.session_id, limit=1)
        assert last.text == "word9999"
        assert await store.sessions.delete(chat.session_id)
        assert await store.search.find("word9999") == []
        assert await store.run(lambda tx: tx.row("SELECT count(*) FROM messages")) == (0,)


# -- any order of acts against a plain model -------------------------------------------------------


@dataclass
class Model:
    """Parents by number, and the leaf."""

    parents: dict[int, int | None] = field(default_factory=dict)
    leaf: int | None = None
    under_way: list[int] = field(default_factory=list)

    def branch(self) -> list[int]:
        found, here = [], self.leaf
        while here is not None:
            found.append(here)
            here = self.parents[here]
        return found[::-1]

    def newest_below(self, number: int) -> int:
        while children := [n for n, parent in self.parents.items() if parent == number]:
            number = max(children)
        return number


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["add", "root", "reply", "go", "show", "begin", "finish", "drop"]),
        st.integers(0, 30),
    ),
    max_size=40,
)


async def act(store: Store, chat: str, model: Model, what: str, which: int) -> None:
    numbers = sorted(model.parents)
    chosen = numbers[which % len(numbers)] if numbers else None
    if what in ("add", "root", "reply"):
        parent = None if what == "root" else chosen if what == "reply" else model.leaf
        added = await store.messages.add(
            chat, "user", "x", parent=chosen if what == "reply" else None, as_root=what == "root"
        )
        model.parents[added.message_id] = parent if parent is not None else None
        if what == "reply" and chosen is None:
            model.parents[added.message_id] = model.leaf
        model.leaf = added.message_id
    elif what in ("go", "show") and chosen is not None:
        await store.messages.go_to(chat, chosen, newest=what == "show")
        model.leaf = model.newest_below(chosen) if what == "show" else chosen
    elif what == "begin" and chosen is not None:
        number = await store.unfinished.begin(chat, "a", b"", parent=chosen)
        model.parents[number] = chosen
        model.leaf = number if model.leaf == chosen else model.leaf
        model.under_way.append(number)
    elif what == "finish" and model.under_way:
        await store.unfinished.finish(model.under_way.pop(0), "done", {})
    elif what == "drop" and model.under_way:
        gone = model.under_way.pop(0)
        await store.unfinished.drop(gone)
        parent = model.parents.pop(gone)
        for number, other in model.parents.items():
            if other == gone:
                model.parents[number] = parent
        if model.leaf == gone:
            model.leaf = None if parent is None else model.newest_below(parent)


@settings(max_examples=60, deadline=None)
@given(ACTS)
async def test_any_acts_leave_the_tree_as_the_model_has_it(acts: list[tuple[str, int]]) -> None:
    store = await Store.in_memory()
    async with store:
        chat = (await store.sessions.create("t", "m")).session_id
        model = Model()
        for what, which in acts:
            await act(store, chat, model, what, which)
        tree = await store.messages.whole_tree(chat)
        assert {m.message_id: m.parent for m in tree} == model.parents
        page = await store.messages.list(chat, limit=1000)
        assert [m.message_id for m in page] == model.branch()
        assert [m.message_id for m in await store.messages.measure(chat)] == model.branch()
        siblings = await store.messages.siblings(page)
        for message in page:
            beside = sorted(
                n for n, p in model.parents.items() if p == model.parents[message.message_id]
            )
            assert siblings.get(message.message_id, [message.message_id]) == beside
        left = [u.message_id for u in await store.unfinished.list()]
        assert left == sorted(model.under_way)
        assert await store.run(lambda tx: tx.rows("PRAGMA foreign_key_check")) == []
        await store.run(
            lambda tx: tx.execute(
                "INSERT INTO message_words (message_words, rank) VALUES ('integrity-check', 1)"
            )
        )
