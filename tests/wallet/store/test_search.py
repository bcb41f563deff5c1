"""Search finds what was written, in many languages, and nothing that was deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.wallet.support import open_store
from wallet.store import Store
from wallet.store.search import cut_out, query_of, terms_of, unmark

pytestmark = pytest.mark.trio

SAID = {
    "de": "Die Zwiebel wächst im Garten über Nacht.",
    "fr": "Où est la crème brûlée de l'été ?",
    "ru": "Лук растёт в огороде.",
    "el": "Το κρεμμύδι είναι στρογγυλό.",
    "zh": "洋葱路由保护隐私。",
    "ja": "玉ねぎは野菜です。",
    "th": "หัวหอมเป็นผัก",
    "code": "def onion_layers(count): return [Layer() for _ in range(count)]",
}


@pytest_trio.trio_fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store(tmp_path) as opened:
        chat = await opened.sessions.create("Words", "m", session_id="chat")
        for text in SAID.values():
            await opened.messages.add(chat.session_id, "user", text)
        yield opened


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("zwiebel", "de"),
        ("wachst garten", "de"),
        ("WÄCHST", "de"),
        ("zwie", "de"),
        ('"im garten"', "de"),
        ("creme brulee", "fr"),
        ("РАСТЁТ", "ru"),
        ("ОГОРОДЕ", "ru"),
        ("κρεμμύδι", "el"),
        ("路由", "zh"),
        ("野菜", "ja"),
        ("หอม", "th"),
        ("onion_layers", "code"),
        ("range count", "code"),
    ],
)
async def test_many_languages(store: Store, asked: str, found: str) -> None:
    (hit,) = await store.search.find(asked)
    assert hit.snippet.strip("…") in SAID[found]
    assert hit.marks
    assert all(0 <= start < end <= len(hit.snippet) for start, end in hit.marks)
    assert (hit.session_id, hit.title, hit.role) == ("chat", "Words", "user")


@pytest.mark.parametrize("asked", ["garten zwiebel nacht nothing", "wiebel", '"garten im"', "100%"])
async def test_what_is_not_there_is_not_found(store: Store, asked: str) -> None:
    assert await store.search.find(asked) == []


@pytest.mark.parametrize("asked", ["", "   ", '"', "*", "'", "()", "😀", '""'])
async def test_a_search_without_words_finds_nothing(store: Store, asked: str) -> None:
    assert await store.search.find(asked) == []


async def test_the_newest_come_first_and_no_more_than_asked_for(store: Store) -> None:
    other = await store.sessions.create("Other", "m")
    for n in range(5):
        await store.messages.add(other.session_id, "assistant", f"onion number {n}")
    hits = await store.search.find("onion number", limit=3)
    assert [hit.snippet for hit in hits] == [f"onion number {n}" for n in (4, 3, 2)]
    assert hits[0].marks == ((0, 5), (6, 12))
    assert await store.search.find("onion number", session_id="chat") == []


async def test_changed_and_deleted_texts(store: Store) -> None:
    number = await store.unfinished.begin("chat", "a", b"")
    await store.unfinished.write(number, "garlic and")
    assert len(await store.search.find("garlic")) == 1
    await store.unfinished.finish(number, "leek", {})
    assert await store.search.find("garlic") == []
    assert len(await store.search.find("leek")) == 1
    await store.sessions.delete("chat")
    assert await store.search.find("leek") == []
    index = await store.run(lambda tx: tx.rows("SELECT block FROM message_words_data"))
    assert not any(b"leek" in block for (block,) in index), "deleted words stay in the index"


@given(st.text(max_size=40))
@example('a"b')
@example("NEAR(a b)")
@example("a OR b AND NOT -c")
@example("\0")
@settings(max_examples=80, deadline=None)
async def test_no_text_is_taken_for_an_operator(text: str) -> None:
    async with await Store.in_memory() as store:
        chat = await store.sessions.create("t", "m")
        await store.messages.add(chat.session_id, "user", text or "x")
        hits = await store.search.find(text)
        if text.isascii() and text.isalnum():
            assert len(hits) == 1


async def test_the_query_quotes_every_term() -> None:
    assert query_of(terms_of('a "b c" d"e')) == '"a" "b c" "d""e"*'


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3))
async def test_a_cut_holds_what_it_marks(text: str, terms: list[str]) -> None:
    snippet, marks = unmark(cut_out(text.replace("\ufdd0", "").replace("\ufdd1", ""), terms))
    for start, end in marks:
        assert snippet[start:end].lower() in {term.lower() for term in terms} or start < end
