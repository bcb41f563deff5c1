"""Chats as a control client has them: trees, settings, several at once, resume."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.errors import Peer2PromptError
from engine.exit.backends.base import (
    BackendEvent,
    ChatRequest,
    Delta,
    Finish,
    Reasoning,
    ToolCall,
    Usage,
)
from engine.session.vault import SessionVault
from tests.helpers.chat_world import WORDS, ChatWorld, play
from tests.helpers.market_fakes import ScriptedBackend
from wallet.ecash.types import BlindSignature

ANSWER = "".join(WORDS)


def test_a_chat_goes_on_with_its_ghost_and_sends_the_same_bytes_first(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        done = await world.ask("One?")
        chat = done["session_id"]
        assert done["result"]["answer"] == ANSWER
        for text in ("Two?", "Three?"):
            await trio.sleep(200)  # the session is settled and its circuit closed meanwhile
            await world.ask(text, session_id=chat)
        (ghost,) = [ghost for ghost in world.ghosts if ghost.backend.requests]
        first, second, third = ghost.asked
        assert second[: len(first)] == first
        assert third[: len(second)] == second
        assert [m["content"] for m in third] == ["One?", ANSWER, "Two?", ANSWER, "Three?"]
        shown = await world.call("sessions.show", session_id=chat)
        assert shown["pin"]["ghost"] == ghost.id.hex()[:8]
        assert shown["pin"]["messages"] == 3

    play(tmp_path, act, ghosts=5)


def test_the_ghost_is_kept_over_a_restart(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        await world.restart()
        await world.ask("Two?", session_id=chat)
        assert sorted(len(ghost.asked) for ghost in world.ghosts) == [0, 0, 0, 2]

    play(tmp_path, act, ghosts=4)


def test_an_answer_does_not_wait_for_a_ghost_that_keeps_the_change_to_itself(
    tmp_path: Path,
) -> None:
    """The whole answer is told although its session cannot be settled; the money comes later."""

    async def act(world: ChatWorld) -> None:
        (ghost,) = world.ghosts
        refund, silent = ghost.earner.refund, trio.Event()

        async def refund_late(*args: Any) -> list[BlindSignature]:
            await silent.wait()
            return await refund(*args)

        ghost.earner.refund = refund_late  # type: ignore[method-assign]
        begun = trio.current_time()
        done = await world.ask("One?", settle=True)
        assert done["result"]["answer"] == ANSWER
        assert trio.current_time() - begun < 60
        silent.set()
        await trio.sleep(200)  # a chat that rests is settled
        assert world.wallet.balance_sat + ghost.earner.balance_sat == 1000
        assert ghost.earner.balance_sat < 5

    play(tmp_path, act)


def test_edit_retry_and_branch(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        await world.ask("Two?", session_id=chat)
        messages = await world.call("sessions.messages", session_id=chat)
        ids = [message["message_id"] for message in messages]
        assert [message["parent"] for message in messages] == [None, *ids[:-1]]

        started = await world.call("sessions.retry", session_id=chat, message_id=ids[1])
        again = await world.end_of(started["ask_id"])
        after = await world.call("sessions.messages", session_id=chat)
        assert [m["text"] for m in after] == ["One?", ANSWER]
        assert after[1]["message_id"] == again["result"]["message_id"]
        assert after[1]["siblings"] == [ids[1], after[1]["message_id"]]
        assert after[1]["place"] == 2

        started = await world.call(
            "sessions.edit", session_id=chat, message_id=ids[2], text="Two, then?"
        )
        await world.end_of(started["ask_id"])
        assert await world.texts(chat) == ["One?", ANSWER, "Two, then?", ANSWER]
        assert [m["content"] for m in world.ghosts[0].asked[-1]] == ["One?", ANSWER, "Two, then?"]

        await world.call("sessions.choose", session_id=chat, message_id=ids[2])
        assert await world.texts(chat) == ["One?", ANSWER, "Two?", ANSWER]
        shown = await world.call("sessions.branch", session_id=chat, message_id=ids[1])
        assert shown["leaf"] == ids[1]
        await world.ask("Three?", session_id=chat)
        assert await world.texts(chat) == ["One?", ANSWER, "Three?", ANSWER]

        other = await world.call("sessions.branch", session_id=chat, message_id=ids[2], as_new=True)
        assert other["session_id"] != chat
        assert await world.texts(other["session_id"]) == ["One?", ANSWER, "Two?"]
        assert other["pin"] is None

    play(tmp_path, act)


def test_a_first_question_can_be_asked_in_other_words(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        (question, answer) = await world.call("sessions.messages", session_id=chat)
        started = await world.call(
            "sessions.edit", session_id=chat, message_id=question["message_id"], text="Uno?"
        )
        await world.end_of(started["ask_id"])
        messages = await world.call("sessions.messages", session_id=chat)
        assert [m["text"] for m in messages] == ["Uno?", ANSWER]
        assert messages[0]["siblings"][0] == question["message_id"]
        with pytest.raises(Peer2PromptError, match="not a question"):
            await world.call(
                "sessions.edit", session_id=chat, message_id=answer["message_id"], text="x"
            )

    play(tmp_path, act)


def test_a_retry_that_fails_shows_the_answer_there_was(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        (_, answer) = await world.call("sessions.messages", session_id=chat)
        world.ghosts[0].backend.fail_at = 0
        world.ghosts[0].backend.kind = "bad_request"
        started = await world.call(
            "sessions.retry", session_id=chat, message_id=answer["message_id"]
        )
        failed = await world.end_of(started["ask_id"])
        assert failed["error"]["code"] == "provider"
        assert await world.texts(chat) == ["One?", ANSWER]

    play(tmp_path, act)


def test_several_chats_answer_at_once_and_each_only_one_question(tmp_path: Path) -> None:
    async def gate(_index: int) -> None:
        await trio.sleep(5)

    async def act(world: ChatWorld) -> None:
        for ghost in world.ghosts:
            ghost.backend.gate = gate
        started = [await world.call("ask", text=f"Question {n}?") for n in range(4)]
        await trio.sleep(3)
        with pytest.raises(Peer2PromptError, match="still answering"):
            await world.call("ask", text="More?", session_id=started[0]["session_id"])
        with pytest.raises(Peer2PromptError, match="still answering"):
            await world.call("sessions.rotate", session_id=started[0]["session_id"])
        for one in started:
            assert (await world.end_of(one["ask_id"]))["result"]["answer"] == ANSWER
        for n, one in enumerate(started):
            deltas = [d for d in world.told("ask.delta") if d["ask_id"] == one["ask_id"]]
            assert "".join(d["text"] for d in deltas) == ANSWER
            assert await world.texts(one["session_id"]) == [f"Question {n}?", ANSWER]

    play(tmp_path, act, ghosts=2)


def test_parts_of_an_answer_are_told_apart_and_kept(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        done = await world.ask("One?")
        chat = done["session_id"]
        assert done["result"]["answer"] == "Hi there"
        kinds = [part["kind"] for part in done["result"]["parts"]]
        assert kinds == ["text", "reasoning", "call", "text"]
        assert "".join(d["text"] for d in world.told("ask.delta")) == "Hi there"
        offsets = [d["offset"] for d in world.told("ask.delta")]
        assert offsets == sorted(offsets)
        assert {p["kind"] for p in world.told("ask.part")} == {"reasoning", "call"}
        (call,) = [p for p in world.told("ask.part") if p["kind"] == "call"]
        assert (call["id"], call["name"], call["text"]) == ("c1", "now", "{}")
        (_, kept) = await world.call("sessions.messages", session_id=chat)
        assert kept["text"] == "Hi there"
        assert [part["kind"] for part in kept["parts"]] == kinds
        assert len(await world.call("sessions.search", text="there")) == 1
        await world.ask("Two?", session_id=chat)
        assert world.ghosts[0].asked[-1][1] == {"role": "assistant", "content": "Hi there"}

    play(tmp_path, act, backend=PartsBackend(()))


class PartsBackend(ScriptedBackend):
    """Answers with text, reasoning and a tool call."""

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[BackendEvent, None]:
        self.requests.append(request)
        await trio.lowlevel.checkpoint()
        yield Delta("Hi")
        yield Reasoning("mhm")
        yield ToolCall("c1", "now", "{}")
        yield Delta(" there")
        yield Usage(20, 9)
        yield Finish("stop")


def test_system_words_and_options_come_from_the_question_the_chat_or_the_defaults(
    tmp_path: Path,
) -> None:
    async def act(world: ChatWorld) -> None:
        await world.call("sessions.defaults", system="Be brief.", params={"seed": 1, "top_p": 0.5})
        chat = (await world.ask("One?"))["session_id"]
        request = world.ghosts[0].backend.requests[-1]
        assert request.messages[0] == {"role": "system", "content": "Be brief."}
        assert request.params == {"seed": 1, "top_p": 0.5}
        await world.call("sessions.set", session_id=chat, system="Rhyme.", params={"seed": 2})
        await world.ask("Two?", session_id=chat, temperature=0.25, params={"top_p": 1})
        request = world.ghosts[0].backend.requests[-1]
        assert request.messages[0]["content"] == "Rhyme."
        assert request.params == {"seed": 2, "top_p": 1, "temperature": 0.25}
        await world.call("sessions.set", session_id=chat, system="", params={"seed": None})
        await world.ask("Three?", session_id=chat)
        assert world.ghosts[0].backend.requests[-1].params == {"seed": 1, "top_p": 0.5}
        with pytest.raises(Peer2PromptError, match="not set by hand"):
            await world.call("sessions.set", session_id=chat, params={"messages": []})

    play(tmp_path, act)


def test_pin_archive_rename_and_delete(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        one = await world.call("sessions.create", title="One")
        two = await world.call("sessions.create", title="Two")
        await world.call("sessions.pin", session_id=one["session_id"])
        titles = [s["title"] for s in await world.call("sessions.list")]
        assert titles == ["One", "Two"]
        await world.call("sessions.archive", session_id=one["session_id"])
        assert [s["title"] for s in await world.call("sessions.list")] == ["Two"]
        both = await world.call("sessions.list", archived=True)
        assert [(s["title"], s["archived"]) for s in both] == [("One", True), ("Two", False)]
        await world.call("sessions.archive", session_id=one["session_id"], archived=False)
        await world.call("sessions.rename", session_id=two["session_id"], title="Deux")
        await world.call("sessions.delete", session_id=one["session_id"])
        assert [s["title"] for s in await world.call("sessions.list")] == ["Deux"]
        assert len(world.told("sessions.changed")) >= 6

    play(tmp_path, act)


def test_a_chat_that_rested_is_the_same_session_to_its_ghost(tmp_path: Path) -> None:
    """So that the provider's prefix cache is found again, and the chain of receipts goes on."""

    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        for text in ("Two?", "Three?"):
            await trio.sleep(300)
            assert world.chats.desk.open_for(chat) is None
            assert "result" in await world.ask(text, session_id=chat)
        (ghost,) = world.ghosts
        assert len({request.session for request in ghost.backend.requests}) == 1
        (chain,) = [found for found in ghost.books.receipts.kept.values() if found]
        assert [receipt.n for receipt in chain] == [1, 2, 3]
        await trio.sleep(300)
        assert world.wallet.balance_sat + world.earned_sat() == 1000

    play(tmp_path, act)


def test_a_chat_whose_credit_is_not_back_yet_takes_another_session_with_its_ghost(
    tmp_path: Path,
) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        (ghost,) = world.ghosts
        await trio.sleep(300)
        known = await world.chats.pins.get(chat)
        assert known is not None
        await SessionVault(world.store).save(known.saved)
        assert "result" in await world.ask("Two?", session_id=chat)
        assert len({request.session for request in ghost.backend.requests}) == 2

    play(tmp_path, act)


def test_a_chat_can_come_back_the_moment_it_was_left(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        for text in ("Two?", "Three?"):
            await world.chats.desk.let_go(chat)
            assert "result" in await world.ask(text, session_id=chat)
        (ghost,) = world.ghosts
        assert len({request.session for request in ghost.backend.requests}) == 1

    play(tmp_path, act)


def test_a_retry_that_never_reaches_a_ghost_shows_the_answer_there_was(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        (_, answer) = await world.call("sessions.messages", session_id=chat)
        await trio.sleep(300)
        world.wallet.balance_sat = 0
        started = await world.call(
            "sessions.retry", session_id=chat, message_id=answer["message_id"]
        )
        assert "error" in await world.end_of(started["ask_id"])
        assert await world.texts(chat) == ["One?", ANSWER]

    play(tmp_path, act)


def test_two_questions_at_the_same_moment_are_not_both_taken(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        taken: list[str] = []

        async def ask(text: str) -> None:
            with contextlib.suppress(Peer2PromptError):
                started = await world.call("ask", text=text, session_id=chat)
                taken.append(started["ask_id"])

        async with trio.open_nursery() as nursery:
            for text in ("Two?", "Three?"):
                nursery.start_soon(ask, text)
        (ask_id,) = taken
        await world.end_of(ask_id)
        assert len(await world.texts(chat)) == 4

    play(tmp_path, act)


def test_another_answer_under_way_is_taken_up_beside_the_first(tmp_path: Path) -> None:
    """A process that ends in the middle of a retry leaves the tree whole, and the next goes on."""

    async def gate(_index: int) -> None:
        await trio.sleep(10)

    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        (question, first) = await world.call("sessions.messages", session_id=chat)
        world.ghosts[0].backend.gate = gate
        await world.call("sessions.retry", session_id=chat, message_id=first["message_id"])
        await trio.sleep(13)
        await world.restart()
        await trio.sleep(30)
        messages = await world.call("sessions.messages", session_id=chat)
        assert [m["text"] for m in messages] == ["One?", ANSWER]
        assert messages[1]["meta"]["state"] == "done"
        assert messages[1]["parent"] == question["message_id"]
        assert messages[1]["siblings"][0] == first["message_id"]
        assert messages[1]["place"] == 2
        assert await world.store.unfinished.list() == []

    play(tmp_path, act)
