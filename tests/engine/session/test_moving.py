"""Another ghost sees a chat only where that was allowed; a first question moves on by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from engine.control.protocol.sessions import RotateAfter
from engine.errors import (
    CircuitClosed,
    GhostError,
    NoRoute,
    Peer2PromptError,
    ProtocolError,
    ProviderError,
)
from engine.session.chat_settings import SessionSettings
from engine.session.moving import MAX_GHOSTS, Stand, Step, next_step
from tests.helpers.chat_world import OFFER, WORDS, ChatWorld, GhostHere, play
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import MODEL
from wallet.errors import InsufficientFunds

ANSWER = "".join(WORDS)


def stand(**changes: object) -> Stand:
    usual: dict[str, object] = {
        "messages": 0,
        "shown": False,
        "ghosts": 1,
        "failover": "ask",
        "move_on": True,
    }
    return Stand(**{**usual, **changes})  # type: ignore[arg-type]


BUSY = GhostError("Full.", reason="busy")
MODERATED = GhostError("No.", reason="moderated")
FAILED = ProviderError("It failed.", kind="overloaded")
LOST = CircuitClosed("Lost.")


@pytest.mark.parametrize(
    ("error", "where", "step"),
    [
        (BUSY, {}, Step.MOVE),
        (GhostError("Cap.", reason="cap_reached"), {}, Step.MOVE),
        (GhostError("Ended.", reason="quote_expired"), {}, Step.MOVE),
        (FAILED, {}, Step.MOVE),
        (LOST, {}, Step.MOVE),
        (ProtocolError("Liar."), {}, Step.MOVE),
        (MODERATED, {}, Step.FAIL),
        (BUSY, {"move_on": False}, Step.FAIL),
        (BUSY, {"ghosts": MAX_GHOSTS}, Step.FAIL),
        (BUSY, {"shown": True}, Step.FAIL),
        (BUSY, {"failover": "never"}, Step.FAIL),
        (BUSY, {"messages": 4}, Step.ASK_USER),
        (MODERATED, {"messages": 4}, Step.ASK_USER),
        (LOST, {"messages": 4, "shown": True}, Step.ASK_USER),
        (LOST, {"messages": 4, "failover": "always"}, Step.MOVE),
        (LOST, {"messages": 4, "failover": "always", "shown": True}, Step.ASK_USER),
        (LOST, {"messages": 4, "failover": "never"}, Step.FAIL),
        (NoRoute("No relays."), {"messages": 4}, Step.FAIL),
        (ProviderError("Long.", kind="too_long"), {"messages": 4}, Step.FAIL),
        (InsufficientFunds("Poor.", needed_sat=1, available_sat=0), {"messages": 4}, Step.FAIL),
    ],
)
def test_who_decides(error: Exception, where: dict[str, object], step: Step) -> None:
    assert next_step(error, stand(**where)) is step


def failing(kind: str = "overloaded") -> ScriptedBackend:
    return ScriptedBackend(WORDS, usage=(20, 5), fail_at=0, kind=kind)


def spoil(ghost: GhostHere, kind: str = "overloaded") -> None:
    ghost.backend.fail_at, ghost.backend.kind = 0, kind


async def one_pinned(world: ChatWorld) -> tuple[str, GhostHere, GhostHere]:
    """A chat with one exchange: its id, its ghost, and the other one."""
    chat = (await world.ask("One?"))["session_id"]
    first, second = sorted(world.ghosts, key=lambda ghost: -len(ghost.asked))
    return chat, first, second


def test_a_first_question_moves_on_and_the_chat_stays_where_it_was_answered(
    tmp_path: Path,
) -> None:
    async def act(world: ChatWorld) -> None:
        for _ in range(2):
            await world.add_ghost(backend=failing())
        await world.add_ghost()
        done = await world.ask("One?")
        assert done["result"]["answer"] == ANSWER
        chat = done["session_id"]
        assert await world.texts(chat) == ["One?", ANSWER]
        shown = await world.call("sessions.show", session_id=chat)
        assert shown["pin"]["ghost"] == world.ghosts[2].id.hex()[:8]
        await trio.sleep(300)
        assert world.wallet.balance_sat + world.earned_sat() == 1000

    play(tmp_path, act, ghosts=0)


def test_it_does_not_move_on_when_told_so(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        for _ in range(2):
            await world.add_ghost(backend=failing())
        failed = await world.ask("One?")
        assert failed["error"]["code"] == "provider"
        assert sum(len(ghost.asked) for ghost in world.ghosts) == 1

    play(tmp_path, act, ghosts=0, settings=SessionSettings(move_on=False))


@pytest.mark.parametrize("how", ["provider", "down", "gone"])
def test_a_chat_moves_only_with_consent(tmp_path: Path, how: str) -> None:
    async def act(world: ChatWorld) -> None:
        chat, first, second = await one_pinned(world)
        await trio.sleep(300)
        if how == "provider":
            spoil(first)
        first.down, first.gone = how == "down", how == "gone"
        failed = await world.ask("Two?", session_id=chat)
        assert failed["error"]["code"] == "needs_consent"
        assert failed["consent"]["messages"] == 2
        assert failed["consent"]["bytes"] == len(("One?" + ANSWER).encode())
        assert failed["consent"]["ghost"] == first.id.hex()[:8]
        assert second.asked == []
        no = await world.call("ask.failover", session_id=chat, consent="no")
        assert no == {"session_id": chat, "ask_id": ""}
        assert second.asked == []
        with pytest.raises(Peer2PromptError, match="waits for your word"):
            await world.call("ask.failover", session_id=chat, consent="once")

        messages = await world.call("sessions.messages", session_id=chat)
        again = await world.call(
            "sessions.retry", session_id=chat, message_id=messages[-1]["message_id"]
        )
        assert (await world.end_of(again["ask_id"]))["error"]["code"] == "needs_consent"
        moved = await world.call("ask.failover", session_id=chat, consent="once")
        assert "result" in await world.end_of(moved["ask_id"])
        assert [m["content"] for m in second.asked[-1]] == ["One?", ANSWER, "Two?"]
        assert await world.texts(chat) == ["One?", ANSWER, "Two?", ANSWER]
        shown = await world.call("sessions.show", session_id=chat)
        assert (shown["failover"], shown["pin"]["ghost"]) == ("", second.id.hex()[:8])

    play(tmp_path, act, ghosts=2)


def test_consent_for_good_is_kept_with_the_chat(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat, first, second = await one_pinned(world)
        spoil(first)
        await world.ask("Two?", session_id=chat)
        moved = await world.call("ask.failover", session_id=chat, consent="always")
        await world.end_of(moved["ask_id"])
        assert (await world.call("sessions.show", session_id=chat))["failover"] == "always"
        first.backend.fail_at = None
        spoil(second)
        done = await world.ask("Three?", session_id=chat)
        assert done["result"]["answer"] == ANSWER
        assert len(first.asked[-1]) == 5

    play(tmp_path, act, ghosts=2)


async def gate(_index: int) -> None:
    await trio.sleep(2)


def test_what_broke_off_stays_beside_the_other_ghosts_answer(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat, first, _second = await one_pinned(world)
        first.backend.fail_at, first.backend.gate = 1, gate
        failed = await world.ask("Two?", session_id=chat)
        assert failed["error"]["code"] == "needs_consent"
        assert await world.texts(chat) == ["One?", ANSWER, "Two?", WORDS[0]]
        moved = await world.call("ask.failover", session_id=chat, consent="once")
        await world.end_of(moved["ask_id"])
        messages = await world.call("sessions.messages", session_id=chat)
        assert messages[-1]["text"] == ANSWER
        assert messages[-1]["place"] == 2

    play(tmp_path, act, ghosts=2)


def test_a_model_that_the_ghost_lacks_takes_consent_too(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat, first, _second = await one_pinned(world)
        failed = await world.ask("Two?", session_id=chat, model="other")
        assert failed["error"]["code"] == "needs_consent"
        assert "does not serve" in failed["error"]["message"]
        assert len(first.asked) == 1

    play(tmp_path, act, ghosts=2)


def test_rotation_by_hand(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat, first, second = await one_pinned(world)
        shown = await world.call("sessions.rotate", session_id=chat)
        assert shown["pin"] is None
        await world.ask("Two?", session_id=chat)
        assert (len(first.asked), len(second.asked)) == (1, 1)
        assert len(second.asked[0]) == 3

    play(tmp_path, act, ghosts=2)


def test_rotation_finds_the_only_ghost_again(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        await world.call("sessions.rotate", session_id=chat)
        assert "result" in await world.ask("Two?", session_id=chat)

    play(tmp_path, act)


@pytest.mark.parametrize(
    "limit", [{"messages": 2}, {"age_s": 100.0}, {"spent_msat": 1}], ids=lambda one: next(iter(one))
)
def test_rotation_by_a_limit(tmp_path: Path, limit: dict[str, float]) -> None:
    async def act(world: ChatWorld) -> None:
        chat, first, second = await one_pinned(world)
        await world.call("sessions.set", session_id=chat, rotate_after=limit)
        if "age_s" in limit:
            pin = await world.chats.pins.get(chat)
            assert pin is not None
            assert not pin.is_due(RotateAfter(age_s=100.0), pin.pin.since + 99)
            assert pin.is_due(RotateAfter(age_s=100.0), pin.pin.since + 100)
            return
        if "messages" in limit:
            await world.ask("Two?", session_id=chat)
            assert len(first.asked) == 2
        await world.ask("Three?", session_id=chat)
        assert len(second.asked) == 1

    play(tmp_path, act, ghosts=2)


def test_rotation_by_policy(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("One?"))["session_id"]
        for text in ("Two?", "Three?", "Four?"):
            await world.ask(text, session_id=chat)
        assert [len(ghost.asked) for ghost in world.ghosts] == [2, 2]

    limits = SessionSettings(rotate_after=RotateAfter(messages=1))
    play(tmp_path, act, ghosts=2, settings=limits)


def test_a_first_question_goes_where_the_model_is(tmp_path: Path) -> None:
    """There is nothing to show but the question, so it needs no consent."""

    async def act(world: ChatWorld) -> None:
        other = await world.add_ghost(models=(replace(OFFER, name="other"),))
        chat = (await world.ask("One?", model=MODEL))["session_id"]
        (_, answer) = await world.call("sessions.messages", session_id=chat)
        started = await world.call(
            "sessions.retry", session_id=chat, message_id=answer["message_id"], model="other"
        )
        done = await world.end_of(started["ask_id"])
        assert done["result"]["model"] == "other"
        assert [m["content"] for m in other.asked[-1]] == ["One?"]

    play(tmp_path, act)
