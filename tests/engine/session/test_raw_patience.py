"""A program whose question finds no way is told so in time, and nothing of the attempts stays."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import trio

from engine.errors import CircuitClosed
from engine.session.raw import OPEN_S
from tests.helpers.chat_world import ChatWorld, GhostHere, play
from tests.helpers.market_fakes import MemoryStream, ScriptedBackend


async def hang(_ghost: GhostHere) -> None:
    await trio.sleep_forever()


async def hang_and_close(_ghost: GhostHere) -> MemoryStream:
    await trio.sleep(20)
    raise CircuitClosed("The circuit closed.")


MINUTES_S = 200.0
BODY = {"model": "tiny", "messages": [{"role": "user", "content": "Hello?"}]}


def test_a_way_that_is_never_found_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        with mock.patch.object(GhostHere, "open_stream", hang):
            begun = trio.current_time()
            started = await world.call("ask.raw", body=BODY, tag="t")
            failed = await world.end_of(started["ask_id"])
            assert failed["error"]["code"] == "no_route"
            assert trio.current_time() - begun < OPEN_S + 5
        assert world.chats.desk.open_sessions == []
        assert all(not route.is_open for route in world.routes)
        assert len(world.chats.raw.book) == 0
        started = await world.call("ask.raw", body=BODY, tag="t")
        assert "result" in await world.end_of(started["ask_id"])

    play(tmp_path, act)


def test_a_question_that_is_stopped_while_its_way_is_built_leaves_nothing(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        with mock.patch.object(GhostHere, "open_stream", hang):
            started = await world.call("ask.raw", body=BODY, tag="t")
            await trio.sleep(1)
            await world.call("ask.cancel", ask_id=started["ask_id"])
            await world.end_of(started["ask_id"])
        assert world.chats.desk.open_sessions == []
        assert all(not route.is_open for route in world.routes)

    play(tmp_path, act)


def test_an_answer_whose_way_is_lost_for_good_is_told_so_in_minutes(tmp_path: Path) -> None:
    """A chat would wait for its mailboxes; a program that asked the local API hears of it."""
    opened: list[MemoryStream] = []
    usual = GhostHere.open_stream

    async def watched(ghost: GhostHere) -> MemoryStream:
        opened.append(await usual(ghost))
        return opened[-1]

    async def stop_after_one(index: int) -> None:
        if index:
            await trio.sleep_forever()

    async def act(world: ChatWorld) -> None:
        with mock.patch.object(GhostHere, "open_stream", watched):
            started = await world.call("ask.raw", body=BODY, tag="t")
            while not world.told("ask.delta"):
                await trio.sleep(0.05)
        lost = trio.current_time()
        with mock.patch.object(GhostHere, "open_stream", hang_and_close):
            opened[-1].cut()
            failed = await world.end_of(started["ask_id"])
        assert failed["error"]["code"] == "circuit_closed"
        assert "asked back" in failed["error"]["kept"]
        assert trio.current_time() - lost < MINUTES_S

    play(tmp_path, act, backend=ScriptedBackend(("An onion ", "has layers."), gate=stop_after_one))


def test_a_ghost_that_restarts_is_asked_again_without_its_program(tmp_path: Path) -> None:
    """The session is there already, its quote is not any more: the program gets its answer, from
    the same ghost, and no 'ask again'."""

    async def act(world: ChatWorld) -> None:
        (ghost,) = world.ghosts
        started = await world.call("ask.raw", body=BODY, tag="t")
        assert "result" in await world.end_of(started["ask_id"])
        world.nursery.start_soon(ghost.restart, 8.0)
        await trio.sleep(0.01)
        started = await world.call("ask.raw", body=BODY, tag="t")
        assert "result" in await world.end_of(started["ask_id"])
        assert len(ghost.asked) == 2

    play(tmp_path, act)
