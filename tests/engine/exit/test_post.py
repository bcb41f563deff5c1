# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Answers whose client went away leave by mail: when, what is in them, and that they leave once."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock

from engine.wire import session as wire
from engine.wire.quote import ModelOffer
from engine.wire.receipt import countersign
from tests.helpers.mail_fakes import PREFIX, FakePost
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, World, world
from tests.helpers.raw_client import RawClient

pytestmark = pytest.mark.trio
BODY = json.dumps({"messages": HI}).encode()
BLOCKS = (PREFIX + b"1" * 16, PREFIX + b"2" * 16)
LONG = [f"word{index} " for index in range(80)]
ANSWER = "".join(LONG)


async def gate(_index: int) -> None:
    await trio.sleep(0.05)


def parse(letter: bytes) -> tuple[str, list[wire.Message]]:
    """The text of a letter, checked to be contiguous from byte 0, and what comes after it."""
    text, rest = "", []
    for message in wire.MessageReader(from_client=False).feed(letter):
        if isinstance(message, wire.Delta):
            assert message.off == len(text.encode())
            assert not rest
            text += message.text
        else:
            rest.append(message)
    return text, rest


async def ask(w: World, sat: int = 20, blocks: tuple[bytes, ...] = BLOCKS) -> RawClient:
    """A client that has paid and asked."""
    client = RawClient(w)
    await client.connect()
    await client.pay(1, sat)
    await client.send(wire.Ask(1, MODEL, BODY), wire.Mail(1, blocks))
    return client


def posted(w: World, **changes: int) -> FakePost:
    post = FakePost(**changes)  # type: ignore[arg-type]
    w.ghost.mail_by(post)
    return post


async def test_a_client_that_went_away_gets_the_whole_answer(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, usage=(20, 80), gate=gate)) as w:
        post = posted(w)
        await ask(w)
        await trio.sleep(1)
        w.streams[-1].cut()
        await trio.sleep(15)
        assert not post.letters, "the client may still come back"
        await trio.sleep(15)
        text, (done,) = parse(post.letters[0])
        assert text == ANSWER
        assert isinstance(done, wire.Done)
        assert (done.reason, done.tin, done.tout) == ("stop", 20, 80)
        assert done.receipt
        assert list(post.boxes.values()) == [post.letters[0]] * 2
        (row,) = w.ghost_store.earnings.rows
        assert row[4] == done.cost
        assert (await w.ghost.stats())["mailed"] == 1
        await trio.sleep(600)
        assert len(post.letters) == 1
        assert len(w.ghost_store.earnings.rows) == 1


async def test_a_letter_says_when_the_credit_was_used_up(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        post = posted(w)
        await ask(w, sat=3)
        await trio.sleep(0.5)
        w.streams[-1].cut()
        await trio.sleep(60)
        text, (need,) = parse(post.letters[0])
        assert isinstance(need, wire.Need)
        assert ANSWER.startswith(text)
        assert 10 < len(text.split()) < 25
        assert need.due > 3000
        await trio.sleep(300)
        ((_, _, _, _, cost, _),) = w.ghost_store.earnings.rows
        assert cost <= 3000


async def test_a_client_that_is_back_in_time_gets_no_letter(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        post = posted(w)
        client = await ask(w)
        await trio.sleep(1)
        w.streams[-1].cut()
        await trio.sleep(10)
        await client.connect(resume=True)
        await client.send(wire.Resume(1, 0))
        (done,) = [m for m in await client.receive() if isinstance(m, wire.Done)]
        await client.send(wire.Sign(1, countersign(done.receipt, client.key.sign)))
        await trio.sleep(100)
        assert not post.letters


async def test_a_client_that_sleeps_on_an_open_circuit_is_away(autojump_clock: MockClock) -> None:
    """A laptop's lid closes: its circuit stands for long, and nobody signs for the answer."""
    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        post = posted(w)
        await ask(w)
        await trio.sleep(60)
        assert parse(post.letters[0])[0] == ANSWER


async def test_a_stream_that_takes_nothing_counts_as_cut(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        post = posted(w)
        await ask(w)
        await trio.sleep(1)
        w.streams[-1].other.stuck = True
        await trio.sleep(120)
        assert parse(post.letters[0])[0] == ANSWER


async def test_new_blocks_take_the_place_of_old_ones(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        post = posted(w)
        client = await ask(w)
        other = PREFIX + b"3" * 16
        await client.send(wire.Mail(7, BLOCKS), wire.Mail(1, (other,)))
        await trio.sleep(1)
        w.streams[-1].cut()
        await trio.sleep(40)
        assert list(post.boxes) == [b"3" * 16]


async def test_a_broken_block_costs_the_client_its_letter_only(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        post = posted(w)
        await ask(w, blocks=(b"nonsense",))
        await trio.sleep(1)
        w.streams[-1].cut()
        await trio.sleep(40)
        assert not post.letters
        asker = w.asker()
        assert (await asker.ask(HI, MODEL)).answer == ANSWER


async def test_a_letter_that_must_be_short_holds_the_beginning(autojump_clock: MockClock) -> None:
    words = [f"word{index:04d} " * 6 for index in range(100)]
    cheap = (ModelOffer.plain(MODEL, 1_000_000, 10_000_000, 5000),)
    async with world(ScriptedBackend(words), models=cheap) as w:
        post = posted(w, cell_bytes=30)
        await ask(w, sat=20)
        await trio.sleep(1)
        w.streams[-1].cut()
        await trio.sleep(60)
        text, rest = parse(post.letters[0])
        assert "".join(words).startswith(text)
        assert 1000 < len(text) < 3000
        assert not rest


async def test_a_ghost_that_stops_mails_at_once(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        post = posted(w)
        await ask(w)
        await trio.sleep(1)
        w.streams[-1].cut()
        with trio.fail_after(5):
            await w.ghost.drain()
        text, (done,) = parse(post.letters[0])
        assert text == ANSWER
        assert isinstance(done, wire.Done)


async def test_a_ghost_that_stops_cuts_short_what_nobody_reads(autojump_clock: MockClock) -> None:
    async def slow(_index: int) -> None:
        await trio.sleep(1)

    async with world(ScriptedBackend(LONG, gate=slow)) as w:
        post = posted(w)
        await ask(w)
        await trio.sleep(2.5)
        w.streams[-1].cut()
        with trio.fail_after(5):
            await w.ghost.drain()
        text, (done,) = parse(post.letters[0])
        assert ANSWER.startswith(text)
        assert len(text.split()) >= 4
        assert isinstance(done, wire.Done)
        assert done.reason == "abandoned"
