"""Chats over the whole network when processes end at odd moments: the message is always one, and
says what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from tests.helpers.kill_world import (
    ANSWER,
    ASK,
    Client,
    KillWorld,
    kill_world,
)
from tests.helpers.virtual_time import threads_inline, virtual_clock
from wallet.store import ChatMessage

Act = Callable[[KillWorld, Client, str], Awaitable[None]]


def play(folder: Path, act: Act) -> None:
    """Ask a question of a fresh network and act once the first words have come."""

    async def main() -> None:
        async with kill_world(folder) as world:
            client = await world.new_client()
            await client.chats.desk.warm()
            await trio.sleep(10)
            started = await client.chats.ask(dict(ASK))
            with trio.fail_after(60):
                while world.ghost.backend.yielded < 5:
                    await trio.sleep(0.01)
            await act(world, client, started.session_id)

    with threads_inline():
        trio.run(main, clock=virtual_clock())


async def ended(world: KillWorld, chat: str, longest_s: float = 300.0) -> ChatMessage:
    """The one answer of the chat when it is over."""
    with trio.fail_after(longest_s):
        while True:
            messages = await world.answers(chat)
            assert len(messages) <= 1
            if messages and messages[0].meta["state"] != "streaming":
                return messages[0]
            await trio.sleep(0.5)


def test_a_machine_that_wakes_goes_on_at_once(tmp_path: Path) -> None:
    async def act(world: KillWorld, client: Client, chat: str) -> None:
        before = client.circuit()
        assert before is not None
        client.chats.desk.wake()
        answer = await ended(world, chat, 30)
        assert answer.text == ANSWER
        assert client.circuit() is not before

    play(tmp_path, act)


def test_what_was_shown_is_in_the_store_while_it_streams(tmp_path: Path) -> None:
    async def act(world: KillWorld, client: Client, chat: str) -> None:
        del client
        await trio.sleep(2.5)
        (message,) = await world.answers(chat)
        assert message.meta == {"state": "streaming"}
        assert message.text
        assert ANSWER.startswith(message.text)
        assert (await ended(world, chat)).text == ANSWER
        assert await world.store.unfinished.list() == []

    play(tmp_path, act)


def test_a_client_that_stops_while_the_ghost_is_lost_leaves_the_rest_to_its_next_start(
    tmp_path: Path,
) -> None:
    async def act(world: KillWorld, client: Client, chat: str) -> None:
        await trio.sleep(0.5)
        for link in list(world.ghost.node.links.links):
            link.close()
        world.ghost.node.core.draining = True
        await trio.sleep(3)
        with trio.move_on_after(12):
            await client.chats.close()
        client.kill()
        (message,) = await world.answers(chat)
        assert message.meta == {"state": "streaming"}
        world.ghost.node.core.draining = False
        await trio.sleep(5)
        await world.new_client()
        assert (await ended(world, chat)).text == ANSWER

    play(tmp_path, act)


def test_a_client_that_stops_in_order_ends_the_answer_it_can_still_stop(tmp_path: Path) -> None:
    async def act(world: KillWorld, client: Client, chat: str) -> None:
        await client.chats.close()
        message = await ended(world, chat, 5)
        assert message.meta["state"] == "cancelled"
        assert ANSWER.startswith(message.text)
        assert await world.store.unfinished.list() == []

    play(tmp_path, act)


def test_a_damaged_record_ends_its_message_with_what_was_kept(tmp_path: Path) -> None:
    async def act(world: KillWorld, client: Client, chat: str) -> None:
        await trio.sleep(2.5)
        client.kill()
        (record,) = await world.store.unfinished.list()
        await world.store.unfinished.update(record.message_id, b"damaged")
        await world.new_client()
        message = await ended(world, chat, 5)
        assert message.meta["state"] == "cut"
        assert message.text == record.text
        assert message.meta["error"]["message"]

    play(tmp_path, act)


def test_a_lost_ghost_without_a_letter_says_so_and_keeps_the_text(tmp_path: Path) -> None:
    async def act(world: KillWorld, client: Client, chat: str) -> None:
        await trio.sleep(2.5)
        world.ghost.kill()
        await trio.sleep(1)
        shown = (await world.answers(chat))[0].text
        message = await ended(world, chat, 900)
        assert message.meta["state"] == "cut"
        assert message.text.startswith(shown)
        assert "bytes of the answer that arrived are kept" in message.meta["error"]["kept"]
        assert await world.store.unfinished.list() == []
        del client

    play(tmp_path, act)


def test_a_chat_that_is_deleted_takes_its_unfinished_answer_along(tmp_path: Path) -> None:
    async def act(world: KillWorld, client: Client, chat: str) -> None:
        await client.chats.listing.delete({"session_id": chat})
        await trio.sleep(10)
        assert await world.store.messages.list(chat) == []
        assert await world.store.unfinished.list() == []

    play(tmp_path, act)


def test_a_message_is_complete_before_its_session_is_settled(tmp_path: Path) -> None:
    """A client killed while it settles finds the whole answer, though the ghost forgot it."""

    async def act(world: KillWorld, client: Client, chat: str) -> None:
        assert (await ended(world, chat)).text == ANSWER
        before = world.ghost.backend.yielded
        started = await client.chats.ask({**ASK, "settle": True})
        with trio.fail_after(60):
            while world.ghost.backend.yielded == before:
                await trio.sleep(0.01)
        world.ghost.earner.delay_s = 1000.0
        answer = await ended(world, started.session_id)
        assert (answer.text, answer.meta["state"]) == (ANSWER, "done")
        client.kill()
        assert await world.store.unfinished.list() == []

    play(tmp_path, act)
