# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""GhostService against clients that break the rules, come back, or come in crowds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine.errors import GhostError
from engine.wire import session as wire
from engine.wire.policy import GhostPolicy
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, NOW, world
from tests.helpers.raw_client import RawClient
from wallet.errors import StoreFull

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("change", [{"sig": bytes(64)}, {"v": 1}, {"v": 3}, {"key": bytes(32)}])
async def test_hellos_that_do_not_prove_the_key(
    change: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with world() as w:
        client = RawClient(w)
        await client.connect(**change)
        assert await client.is_closed()


async def test_a_hello_is_bound_to_its_circuit(autojump_clock: MockClock) -> None:
    async with world() as w:
        client = RawClient(w)
        client.stream = await w.open_stream()
        await client.send(client.session.hello(bytes(32), resume=False))
        assert await client.is_closed()


@pytest.mark.parametrize(
    "message",
    [
        wire.Ask(1, MODEL, b"{}"),
        wire.Cancel(9),
        wire.Bye(),
    ],
)
async def test_nothing_comes_before_hello(message: wire.Message, autojump_clock: MockClock) -> None:
    async with world() as w:
        client = RawClient(w)
        client.stream = await w.open_stream()
        await client.send(message)
        assert await client.is_closed()


async def test_garbage_closes_the_stream_and_nothing_else(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        await asker.open()
        client = RawClient(w)
        await client.connect()
        assert client.stream is not None
        await client.stream.send_all(b"\x00\x00\x00\x03\xff\xff\xff")
        assert await client.is_closed()
        assert (await asker.ask(HI, MODEL)).answer == "Hello world"


async def test_a_session_that_cannot_be_kept_is_not_begun(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ghost's disk is full: its streams are closed, and nothing falls over."""

    async def full() -> str:
        await trio.lowlevel.checkpoint()
        raise StoreFull("The disk is full.")

    async with world() as w:
        monkeypatch.setattr(w.earner, "lock_key", full)
        client = RawClient(w)
        await client.connect()
        assert await client.is_closed()
        monkeypatch.undo()
        assert (await w.asker().ask(HI, MODEL)).answer == "Hello world"


async def test_silence_instead_of_hello(autojump_clock: MockClock) -> None:
    async with world() as w:
        client = RawClient(w)
        client.stream = await w.open_stream()
        await trio.sleep(100)
        assert await client.is_closed()


async def test_payments_the_ghost_does_not_take(autojump_clock: MockClock) -> None:
    async with world() as w:
        client = RawClient(w)
        await client.connect()
        proof = wire.WireProof(8, bytes(8), "00", bytes(33))
        pay = wire.Pay(1, "http://mint.example:3338", 8, bytes(8), (proof,), ())
        await client.send(
            replace(pay, mint="http://other"), replace(pay, n=2, sat=21), replace(pay, n=3)
        )
        errors = [item for item in await client.receive() if isinstance(item, wire.Error)]
        assert [(item.n, item.code) for item in errors] == [
            (1, "mint"),
            (2, "credit_limit"),
            (3, "pay_payment_invalid"),
        ]
        assert not any(item.retry for item in errors)


async def test_two_questions_at_once(autojump_clock: MockClock) -> None:
    async with world() as w:
        client = RawClient(w)
        await client.connect()
        body = b'{"messages":[{"role":"user","content":"x"}]}'
        await client.send(wire.Ask(1, MODEL, body), wire.Ask(2, MODEL, body))
        messages = await client.receive()
        assert wire.Need(1, 55, 0) in messages
        (error,) = (item for item in messages if isinstance(item, wire.Error))
        assert (error.q, error.code) == (2, "busy")
        assert not w.backend.requests


async def test_one_number_for_two_questions(autojump_clock: MockClock) -> None:
    async with world() as w:
        client = RawClient(w)
        await client.connect()
        await client.send(wire.Ask(1, MODEL, b'{"messages":[{"role":"user","content":"x"}]}'))
        await client.send(wire.Ask(1, MODEL, b'{"messages":[{"role":"user","content":"y"}]}'))
        assert await client.is_closed()


async def test_a_newer_stream_takes_over(autojump_clock: MockClock) -> None:
    async with world() as w:
        client = RawClient(w)
        await client.connect()
        old = client.stream
        await client.receive()
        await client.connect(resume=True)
        messages = await client.receive()
        assert [type(item) for item in messages] == [wire.QuoteMsg, wire.Paid]
        assert old is not None
        assert old.ended


async def test_crowds_are_limited(autojump_clock: MockClock) -> None:
    async with world(max_sessions=2) as w:
        clients = [RawClient(w) for _ in range(3)]
        for client in clients:
            await client.connect()
        assert [bool(await client.receive()) for client in clients] == [True, True, False]


async def test_idle_sessions_are_forgotten_and_their_credit_kept(
    autojump_clock: MockClock,
) -> None:
    async with world() as w:
        asker = w.asker()
        await asker.open()
        w.streams[-1].cut()
        await trio.sleep(400)
        assert repr(w.ghost) == "GhostService(sessions=0)"
        assert (await asker.ask(HI, MODEL)).answer == "Hello world"
        assert await asker.settle() == 9


async def test_draining_refuses_new_questions(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        await asker.open()
        await w.ghost.drain()
        with pytest.raises(GhostError, match="shutting down"):
            await asker.ask(HI, MODEL)
        assert await asker.settle() == 10


async def test_a_fault_of_ours_ends_one_session_only(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with world() as w:
        broken, fine = w.asker(), w.asker()
        await broken.open()
        await fine.open()

        async def fault(*_args: object) -> int:
            await trio.lowlevel.checkpoint()
            monkeypatch.undo()
            raise RuntimeError("SECRET")

        monkeypatch.setattr(w.ghost_store.credits, "bill", fault)
        with pytest.raises(GhostError, match="no longer has"):
            await broken.ask(HI, MODEL)
        assert (await fine.ask(HI, MODEL)).answer == "Hello world"
        assert (await broken.ask(HI, MODEL)).answer == "Hello world"
        assert "RuntimeError" in caplog.text
        assert "SECRET" not in caplog.text


async def test_safety_identifier_is_random_per_session(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(), policy=GhostPolicy(user=True)) as w:
        one, two = w.asker(), w.asker()
        for asker in (one, two, one):
            await asker.ask(HI, MODEL)
        users = [request.user for request in w.backend.requests]
        assert users[0] == users[2] != users[1]


async def test_quotes_are_renewed_before_they_end(autojump_clock: MockClock) -> None:
    async with world() as w:
        first, _ = await w.ghost.quote()
        assert (await w.ghost.quote())[0] is first
        w.ghost._now = lambda: NOW + first.expires - NOW - 10
        assert (await w.ghost.quote())[0].id != first.id
