"""Tags are let go of: by command, with their key, after long rest, and when there are too many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine.gateway.apart import Apart
from engine.gateway.problems import Problem
from engine.gateway.settings import parse_api
from engine.gateway.tags import Label, label_of
from engine.session.tagbook import MAX_TAGS, TagBook
from engine.settings_table import Table
from tests.helpers.api_world import api_world, question
from tests.helpers.market_fakes import ScriptedBackend

pytestmark = pytest.mark.trio
HOUR_S = 3600.0
SESSION = "X-Peer2Prompt-Session"


class Raw:
    """The session layer with tags alone. `gate` holds a release back."""

    def __init__(self) -> None:
        self.book = TagBook()
        self.released: list[str] = []
        self.gate = trio.Event()
        self.gate.set()

    def circuits(self, tag: str) -> int:
        return 2 if self.book.knows(tag) else 0

    async def release(self, tag: str) -> bool:
        entry = self.book.retire(tag)
        await self.gate.wait()
        if entry is not None:
            self.book.forget(entry)
            self.released.append(tag)
        return entry is not None


async def ask(apart: Apart, raw: Raw, tag: str, key: str = "editor") -> None:
    """One question from its beginning to its end."""
    place = await apart.enter(tag, Label(key, "chat"))
    entry = raw.book.begin(tag, trio.current_time())
    entry.ghosts.add(tag.encode())
    raw.book.end(entry, trio.current_time(), 5)
    apart.leave(place)


async def test_after_long_rest_a_tag_goes_and_one_that_is_used_stays(
    autojump_clock: MockClock,  # noqa: ARG001 - virtual time
) -> None:
    raw = Raw()
    apart = Apart(raw, HOUR_S)
    async with trio.open_nursery() as nursery:
        await nursery.start(apart.run)
        await ask(apart, raw, "rests")
        for _ in range(5):
            await ask(apart, raw, "used")
            await trio.sleep(HOUR_S / 4)
        assert raw.released == ["rests"]
        assert [one.tag for one in apart.listed()] == ["used"]
        nursery.cancel_scope.cancel()


async def test_a_tag_that_is_never_freed_by_time(
    autojump_clock: MockClock,  # noqa: ARG001 - virtual time
) -> None:
    raw = Raw()
    apart = Apart(raw, 0.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(apart.run)
        await ask(apart, raw, "rests")
        await trio.sleep(100 * HOUR_S)
        assert raw.released == []
        nursery.cancel_scope.cancel()


async def test_when_there_are_too_many_the_one_that_rested_longest_goes() -> None:
    raw = Raw()
    apart = Apart(raw, HOUR_S)
    async with trio.open_nursery() as nursery:
        await nursery.start(apart.run)
        for number in range(MAX_TAGS + 3):
            await ask(apart, raw, f"{number:03}")
        assert raw.released == ["000", "001", "002"]
        assert len(apart) == MAX_TAGS
        busy = [await apart.enter(tag.name, Label("editor", "chat")) for tag in raw.book.all()]
        entries = [raw.book.begin(place.tag, trio.current_time()) for place in busy]
        with pytest.raises(Problem) as caught:
            await apart.enter("one more", Label("editor", "chat"))
        assert (caught.value.status, caught.value.code) == (503, "too_many_sessions")
        raw.book.end(entries[7], trio.current_time())
        apart.leave(busy[7])
        await apart.enter("one more", Label("editor", "chat"))
        assert raw.released[3:] == [busy[7].tag]
        nursery.cancel_scope.cancel()


async def test_what_asks_for_room_and_goes_away_leaves_no_tag_half_released() -> None:
    raw = Raw()
    apart = Apart(raw, HOUR_S)
    async with trio.open_nursery() as nursery:
        await nursery.start(apart.run)
        await ask(apart, raw, "a")
        raw.gate = trio.Event()
        with trio.move_on_after(0):
            await apart.release("")
        assert raw.book.foreign("b") == {b"a"}
        raw.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert raw.book.foreign("b") == set()
        assert raw.released == ["a"]
        nursery.cancel_scope.cancel()


async def test_another_program_gets_the_ghost_once_the_first_is_let_go_of(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:
        mine, theirs = {SESSION: "my secret diary"}, {SESSION: "two"}
        assert (await w.ask("Mine?", headers=mine)).status_code == 200
        refused = await w.ask("Theirs?", headers=theirs)
        assert refused.status_code == 503
        assert "peer2prompt api tags" in refused.json()["error"]["message"]
        (told,) = await w.gateway.list_tags({})
        ghost = w.chats.ghosts[0].id.hex()[:8]
        assert (told.key, told.purposes, told.ghosts) == ("editor", ["chat"], [ghost])
        assert (told.asked, told.under_way, told.circuits) == (1, 0, 1)
        assert told.spent_msat > 0
        assert told.session
        assert "secret" not in repr(told)
        assert (await w.gateway.release_tags({"tag": "no such"})).released == 0
        assert (await w.gateway.release_tags({"tag": told.tag})).released == 1
        first = w.chats.routes[0]
        assert first.retired
        assert (await w.ask("Theirs?", headers=theirs)).status_code == 200
        assert w.chats.routes[-1] is not first
        assert (await w.ask("Mine again?", headers=mine)).status_code == 503


async def test_a_revoked_key_frees_its_ghosts_when_its_last_answer_has_ended(
    tmp_path: Path,
) -> None:
    gate = trio.Event()

    async def wait(index: int) -> None:
        if index:
            await gate.wait()

    backend = ScriptedBackend(("An ", "onion."), usage=(20, 5), gate=wait)
    async with api_world(tmp_path, backend=backend) as w, trio.open_nursery() as nursery:
        statuses: list[int] = []

        async def first() -> None:
            statuses.append((await w.ask("Mine?")).status_code)

        nursery.start_soon(first)
        await until(lambda: bool(backend.requests))
        other = (await w.gateway.new_key({"name": "other"})).key
        await w.gateway.revoke_key({"name": "editor"})
        headers = {"Authorization": f"Bearer {other}"}
        assert (await w.ask("Theirs?", headers=headers)).status_code == 503
        gate.set()
        await until(lambda: bool(statuses))
        assert statuses == [200]
        await w.gateway.apart.release_key("editor")
        assert (await w.ask("Theirs?", headers=headers)).status_code == 200
        (told,) = await w.gateway.list_tags({})
        assert told.key == "other"


async def test_requests_that_no_ghost_sees_leave_no_tag(tmp_path: Path) -> None:
    async with api_world(tmp_path, ghosts=0) as w:
        for number in range(20):
            assert (await w.ask(headers={SESSION: str(number)})).status_code == 503
        assert (await w.gateway.status({})).sessions == 0
        assert w.gateway.apart.listed() == []
        assert not w.gateway.apart.places


async def until(true: Any) -> None:
    with trio.fail_after(60):
        while not true():
            await trio.sleep(0.02)


async def test_words_for_a_tag() -> None:
    chat, other = label_of("k", "diary", question()), label_of("k", "", question())
    assert (chat.purpose, other.session) == ("chat", "")
    assert len(chat.session) == 6
    assert label_of("k", "", {"input": ["a"]}).purpose == "embeddings"
    aside = label_of("k", "diary", question("### Task: Generate a title"))
    assert (aside.purpose, aside.session) == ("titles", chat.session)


async def test_the_setting() -> None:
    assert parse_api(Table({}, "api"), Path()).tag_idle_s == HOUR_S
    assert parse_api(Table({"tag_idle_minutes": 5}, "api"), Path()).tag_idle_s == 300


async def test_a_busy_program_takes_one_ghost_and_leaves_the_others(tmp_path: Path) -> None:
    async with api_world(tmp_path, ghosts=3) as w:
        statuses: list[int] = []

        async def first(number: int) -> None:
            statuses.append((await w.ask(f"Number {number}?")).status_code)

        async with trio.open_nursery() as nursery:
            for number in range(16):
                nursery.start_soon(first, number)
        assert statuses == [200] * 16
        assert sorted(len(ghost.asked) for ghost in w.chats.ghosts) == [0, 0, 16]
        for name in ("second", "third"):
            headers = {SESSION: name}
            assert (await w.ask("Another?", headers=headers)).status_code == 200
        assert sorted(len(ghost.asked) for ghost in w.chats.ghosts) == [1, 1, 16]


async def test_a_program_whose_ghost_fails_gets_another(tmp_path: Path) -> None:
    async with api_world(tmp_path, ghosts=2) as w:
        assert (await w.ask("One?")).status_code == 200
        first = next(ghost for ghost in w.chats.ghosts if ghost.asked)
        (tag,) = w.chats.chats.raw.book.all()
        await w.chats.chats.desk.let_go(f"raw 0 {tag.name}")
        first.down = True
        assert (await w.ask("Two?")).status_code == 200
        (told,) = await w.gateway.list_tags({})
        assert len(told.ghosts) == 2
