"""Of temporary chats and raw questions nothing is left: not in the store, not in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from engine.errors import Peer2PromptError
from tests.helpers.chat_world import WORDS, ChatWorld, attachment, play

SECRET = "xylophone-zebra"
ANSWER = "".join(WORDS)
MONEY = {"secrets", "settings", "schema_version", "sqlite_sequence", "signed_quotes"}
"""Tables that money and the ghosts' own signed words may change."""


async def rows(world: ChatWorld) -> dict[str, list[Any]]:
    """Everything in the store, by table."""

    def read(tx: Any) -> dict[str, list[Any]]:
        names = [n for (n,) in tx.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: tx.rows(f"SELECT * FROM {name}") for name in names}

    return await world.store.run(read)


def said_on_disk(found: dict[str, list[Any]], *words: str) -> list[str]:
    """The tables that hold one of these words, in whatever form."""
    needles = [word.encode() for word in words]
    return [
        table
        for table, lines in found.items()
        for line in lines
        for value in line
        if any(needle in (value if isinstance(value, bytes) else str(value).encode())
               for needle in needles)
    ]  # fmt: skip


async def gate(_index: int) -> None:
    await trio.sleep(5)


def test_a_temporary_chat_leaves_nothing(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        (ghost,) = world.ghosts
        await trio.sleep(10)
        before = await rows(world)
        ghost.backend.gate = gate
        started = await world.call(
            "ask",
            text=f"What is a {SECRET}?",
            temporary=True,
            system=f"Speak of {SECRET}.",
            attachments=[attachment(f"{SECRET}.txt", SECRET.encode())],
        )
        chat = started["session_id"]
        await trio.sleep(8)  # in the middle of the answer, after it was "written down"
        assert not said_on_disk(await rows(world), SECRET, chat, WORDS[0].strip())
        assert await world.store.unfinished.list() == []
        assert "result" in await world.end_of(started["ask_id"])
        ghost.backend.gate = None
        await world.ask("And then?", session_id=chat)
        assert len(await world.texts(chat)) == 4
        assert len(await world.call("sessions.search", text="zebra")) == 1
        (listed,) = await world.call("sessions.list")
        assert listed["temporary"]
        await trio.sleep(300)
        after = await rows(world)
        assert not said_on_disk(after, SECRET, chat, ANSWER)
        for table in before.keys() - MONEY:
            changed = [r for r in after[table] if r not in before[table]]
            assert not changed or table == "observations", table
        world.scope.cancel()
        await world.store.aclose()
        for file in tmp_path.iterdir():
            assert SECRET.encode() not in file.read_bytes(), file.name

    play(tmp_path, act)


def test_it_is_gone_with_its_process(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        done = await world.ask("One?", temporary=True)
        await world.restart()
        assert await world.call("sessions.list") == []
        with pytest.raises(Peer2PromptError, match="no such chat"):
            await world.call("sessions.messages", session_id=done["session_id"])

    play(tmp_path, act)


def test_a_chat_can_be_taken_off_the_disk_and_back(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask(f"A {SECRET}?"))["session_id"]
        assert said_on_disk(await rows(world), SECRET)
        gone = await world.call("sessions.set", session_id=chat, temporary=True)
        assert gone["temporary"]
        assert not said_on_disk(await rows(world), SECRET)
        assert await world.texts(chat) == [f"A {SECRET}?", ANSWER]
        await world.ask("More?", session_id=chat)
        await world.call("sessions.set", session_id=chat, temporary=False)
        await world.restart()
        assert await world.texts(chat) == [f"A {SECRET}?", ANSWER, "More?", ANSWER]
        with pytest.raises(Peer2PromptError, match="on disk already"):
            await world.call("ask", text="x", session_id=chat, temporary=True)

    play(tmp_path, act)


def test_a_temporary_chat_that_is_deleted_touches_no_other(tmp_path: Path) -> None:
    """Both stores number their messages from 1: an answer that ends late must not be mixed up."""

    async def act(world: ChatWorld) -> None:
        kept = (await world.ask("Kept?"))["session_id"]
        world.ghosts[0].backend.gate = gate
        started = await world.call("ask", text="Gone?", temporary=True)
        await trio.sleep(7)
        await world.call("sessions.delete", session_id=started["session_id"])
        await trio.sleep(60)
        assert await world.texts(kept) == ["Kept?", ANSWER]
        assert await world.call("sessions.list") != []

    play(tmp_path, act)


# -- raw questions ---------------------------------------------------------------------------------


def body(*said: str, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    return {"model": "tiny", "messages": messages, "stream": True, **more}


def test_a_raw_question_is_passed_on_whole_and_not_kept(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        (ghost,) = world.ghosts
        await trio.sleep(10)
        before = await rows(world)
        started = await world.call(
            "ask.raw", body=body("One?", "Two.", SECRET, temperature=0.5), tag="key"
        )
        assert started["session_id"] == ""
        done = await world.end_of(started["ask_id"])
        assert done["result"]["answer"] == ANSWER
        (request,) = ghost.backend.requests
        assert [m["content"] for m in request.messages] == ["One?", "Two.", SECRET]
        assert request.params == {"temperature": 0.5}
        assert await world.call("sessions.list") == []
        await trio.sleep(300)
        after = await rows(world)
        assert not said_on_disk(after, SECRET, ANSWER)
        for table in before.keys() - MONEY - {"observations"}:
            assert after[table] == before[table], table

    play(tmp_path, act)


def test_tags_share_no_ghost_and_one_tag_keeps_its_own(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        async def ask(tag: str) -> None:
            started = await world.call("ask.raw", body=body(f"For {tag}?"), tag=tag)
            assert "result" in await world.end_of(started["ask_id"])

        async with trio.open_nursery() as nursery:
            for tag in ("one", "two", "three"):
                nursery.start_soon(ask, tag)
        for tag in ("one", "two", "three", "one"):
            await ask(tag)
        seen = [{messages[0]["content"] for messages in ghost.asked} for ghost in world.ghosts]
        assert all(len(tags) <= 1 for tags in seen)
        failed = await world.call("ask.raw", body=body("For four?"), tag="four")
        error = (await world.end_of(failed["ask_id"]))["error"]
        assert error["code"] == "ghost"
        assert not any({"For four?"} & tags for tags in seen)

    play(tmp_path, act, ghosts=3)


def test_questions_of_one_tag_run_side_by_side(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        world.ghosts[0].backend.gate = gate
        started = [
            await world.call("ask.raw", body=body(f"Number {n}?"), tag="t") for n in range(3)
        ]
        await trio.sleep(4)
        assert len(world.ghosts[0].asked) == 3
        assert len({r.session for r in world.ghosts[0].backend.requests}) == 3
        for one in started:
            assert "result" in await world.end_of(one["ask_id"])

    play(tmp_path, act)


def test_a_raw_question_with_a_history_does_not_move_by_itself(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        for ghost in world.ghosts:
            ghost.backend.fail_at, ghost.backend.kind = 0, "overloaded"
        started = await world.call("ask.raw", body=body("One?", "Two.", "Three?"), tag="t")
        failed = await world.end_of(started["ask_id"])
        assert failed["error"]["code"] == "provider"
        assert sum(len(ghost.asked) for ghost in world.ghosts) == 1
        started = await world.call("ask.raw", body=body("Alone?"), tag="u")
        await world.end_of(started["ask_id"])
        assert sum(len(ghost.asked) for ghost in world.ghosts) > 2

    play(tmp_path, act, ghosts=4)
