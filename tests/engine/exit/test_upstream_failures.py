"""A client, a ghost and real HTTP servers behind it: what goes wrong there is told and is free."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
import trio

from engine.errors import ProviderError
from engine.exit.backends.base import Delta
from engine.exit.backends.build import build_backend
from engine.exit.backends.pool import Pool
from engine.exit.backends.upstream import Upstream
from tests.helpers.backends import answer, chat
from tests.helpers.market_world import HI, MODEL, World, world
from tests.helpers.wire_server import Reply, WireServer, events, serving

pytestmark = pytest.mark.trio


def said(*words: str) -> Reply:
    chunks = [{"choices": [{"delta": {"content": word}}]} for word in words]
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    return Reply.stream(events(*chunks, end, "[DONE]"))


OK = said("Hello", " world")
HALF = Reply.stream(events({"choices": [{"delta": {"content": "Hello"}}]}), end="reset")


def refused(status: int, code: str, **headers: str) -> Reply:
    error = {"error": {"message": "SECRET", "type": code, "code": code}}
    return Reply.document(error, status, **headers)


@asynccontextmanager
async def ghost(*servers: WireServer) -> AsyncIterator[World]:
    """A market in which the ghost asks these servers."""
    upstreams = [Upstream(url=server.url, name=f"u{n}") for n, server in enumerate(servers)]
    async with world(build_backend(upstreams)) as w:  # type: ignore[arg-type]
        yield w


async def failure(w: World) -> ProviderError:
    """What the client is told; nothing was billed."""
    with trio.fail_after(60), pytest.raises(ProviderError) as caught:
        await w.asker().ask(HI, MODEL)
    assert sum(row[4] for row in w.ghost_store.earnings.rows) == 0
    assert "SECRET" not in repr(caught.value.as_dict())
    return caught.value


@pytest.mark.parametrize(
    ("reply", "kind", "after"),
    [
        (refused(401, "invalid_api_key"), "auth", None),
        (refused(429, "insufficient_quota"), "auth", None),
        (refused(429, "rate_limit_exceeded", retry_after="30"), "rate_limit", 30),
        (refused(400, "context_length_exceeded"), "too_long", None),
        (refused(400, "content_filter"), "blocked", None),
        (refused(503, "server_error", retry_after="7"), "overloaded", 7),
        (Reply.stream("", end="reset"), "broken_stream", None),
        (Reply(200, {"Content-Type": "text/html"}, b"SECRET"), "protocol", None),
    ],
)
async def test_one_upstream_fails(reply: Reply, kind: str, after: float | None) -> None:
    async with serving(reply) as server, ghost(server) as w:
        error = await failure(w)
    assert (error.kind, error.retry_after_s or None) == (kind, after)


async def test_a_revoked_key_is_asked_once() -> None:
    async with serving(refused(401, "invalid_api_key")) as server, ghost(server) as w:
        for _ in range(3):
            assert (await failure(w)).kind == "auth"
        assert len(server.seen) == 1


async def test_another_upstream_takes_over_before_the_first_word() -> None:
    async with serving(refused(503, "x")) as bad, serving(OK) as good, ghost(bad, good) as w:
        with trio.fail_after(60):
            for _ in range(4):
                assert (await w.asker().ask(HI, MODEL)).answer == "Hello world"
        assert len(good.seen) == 4


async def test_half_an_answer_is_not_begun_anew() -> None:
    async with serving(HALF) as bad, serving(OK) as good, ghost(bad, good) as w:
        assert (await failure(w)).kind == "broken_stream"
        assert good.seen == []


async def test_a_crowd_is_spread_within_bounds() -> None:
    gate = trio.Event()
    async with serving(OK) as one, serving(OK) as two:
        one.gate = two.gate = gate
        target = build_backend(
            [Upstream(url=server.url, max_concurrent=10) for server in (one, two)]
        )
        done: list[object] = []

        async def ask() -> None:
            done.append((await answer(target, chat()))[0])

        async with trio.open_nursery() as nursery:
            for _ in range(60):
                nursery.start_soon(ask)
            with trio.fail_after(60):
                while one.open + two.open < 20:
                    await trio.sleep(0.01)
            gate.set()
        await target.aclose()
    assert done == [Delta("Hello world")] * 60
    assert one.most_open <= 10
    assert two.most_open <= 10
    assert sum(status.in_flight for status in target.status()) == 0


async def test_who_leaves_makes_the_provider_stop() -> None:
    endless = said(*["word "] * 50_000)
    async with serving(endless) as server:
        target: Pool = build_backend([Upstream(url=server.url)])
        async with aclosing(target.stream_chat(chat())) as stream:
            assert await anext(stream) == Delta("word ")
            assert server.open == 1
        with trio.fail_after(60):
            while server.open:
                await trio.sleep(0.01)
        await target.aclose()
