# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Several upstreams as one backend: balance, affinity, waiting, failover, health."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from engine.errors import ProviderError
from engine.exit.backends.base import (
    BackendEvent,
    ChatRequest,
    Delta,
    Embedding,
    EmbedRequest,
    Events,
    Finish,
    Usage,
)
from engine.exit.backends.faults import provider_error
from engine.exit.backends.health import FAILURES, FIRST_PAUSE_S
from engine.exit.backends.places import Member, Places
from engine.exit.backends.pool import BUSY_S, Pool
from engine.exit.backends.upstream import Upstream
from tests.helpers.backends import answer, chat

pytestmark = pytest.mark.trio
OK = (Delta("ok"), Usage(1, 1), Finish("stop"))


class Scripted:
    """A backend that says `events`, or fails after some of them; `gate` holds every answer back."""

    def __init__(self, *events: BackendEvent, names: Sequence[str] = ("m",)) -> None:
        self.events = events or OK
        self.names = names
        self.failure: ProviderError | None = None
        self.fail_at = 0
        self.gate: trio.Event | None = None
        self.asked: list[ChatRequest | EmbedRequest] = []
        self.open = self.most_open = self.closed = 0

    async def stream_chat(self, request: ChatRequest | EmbedRequest) -> Events:
        self.asked.append(request)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await trio.lowlevel.checkpoint()
            if self.gate is not None:
                await self.gate.wait()
            for index, event in enumerate(self.events):
                if self.failure is not None and self.fail_at == index:
                    raise self.failure
                yield event
        finally:
            self.open -= 1

    def embed(self, request: EmbedRequest) -> Events:
        return self.stream_chat(request)

    async def models(self) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        return self.names

    def features(self, model: str) -> frozenset[str]:
        return frozenset({"json", model})

    async def aclose(self) -> None:
        self.closed += 1
        await trio.lowlevel.checkpoint()


def pool(*backends: Scripted, wait_s: float = 5.0, **fields: object) -> Pool:
    return Pool(
        [(Upstream(name=f"u{i}", **fields), one) for i, one in enumerate(backends)],  # type: ignore[arg-type]
        wait_s=wait_s,
    )


async def failure(target: Pool, request: ChatRequest | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await answer(target, request or chat())
    return caught.value


async def test_questions_spread_by_weight(autojump_clock: MockClock) -> None:
    big, small = Scripted(), Scripted()
    big.gate = small.gate = trio.Event()
    target = Pool([(Upstream(weight=3), big), (Upstream(weight=1), small)])
    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(answer, target, chat())
        await trio.testing.wait_all_tasks_blocked()
        assert (big.open, small.open) == (30, 10)
        big.gate.set()
    assert [status.in_flight for status in target.status()] == [0, 0]


async def test_equals_take_turns() -> None:
    one, two = Scripted(), Scripted()
    target = pool(one, two)
    for _ in range(6):
        await answer(target, chat())
    assert (len(one.asked), len(two.asked)) == (3, 3)


async def test_a_session_goes_back_to_where_its_prefix_is() -> None:
    backends = [Scripted() for _ in range(4)]
    target = pool(*backends)
    for session in (b"a", b"b", b"a", b"b", b"a"):
        await answer(target, chat(session=session))
    assert sorted(len(one.asked) for one in backends) == [0, 0, 2, 3]


async def test_a_session_moves_when_its_upstream_fails() -> None:
    one, two = Scripted(), Scripted()
    target = pool(one, two)
    await answer(target, chat(session=b"a"))
    one.failure = provider_error("overloaded")
    assert (await answer(target, chat(session=b"a")))[0] == Delta("ok")
    one.failure = None
    await answer(target, chat(session=b"a"))
    assert (len(one.asked), len(two.asked)) == (2, 2)  # it stays where its prefix is now


async def test_names_are_the_upstreams_own() -> None:
    one, two = Scripted(), Scripted()
    target = Pool(
        [
            (Upstream(models={"small": "vendor/s", "large": "vendor/l"}), one),
            (Upstream(models={"large": "l"}), two),
        ]
    )
    await answer(target, chat("small"))
    await answer(target, chat("small"))
    await answer(target, chat("large"))
    assert [request.model for request in one.asked] == ["vendor/s", "vendor/s"]
    assert [request.model for request in two.asked] == ["l"]
    assert await target.models() == ["small", "large"]
    assert target.backends() == {"small": one, "large": one}
    assert target.features("large") == {"json"}
    assert target.features("none") == frozenset()
    assert (await failure(target, chat("none"))).kind == "bad_request"


@pytest.mark.parametrize(
    "kind", ["auth", "rate_limit", "overloaded", "timeout", "unreachable", "protocol"]
)
async def test_what_fails_before_the_first_word_is_asked_elsewhere(kind: str) -> None:
    bad, good = Scripted(Usage(1, 0), *OK), Scripted()
    bad.failure, bad.fail_at = provider_error(kind), 1
    found = await answer(pool(bad, good), chat())
    assert found[-3:] == list(OK)
    assert (len(bad.asked), len(good.asked)) == (1, 1)


async def test_after_the_first_word_nothing_is_asked_again() -> None:
    bad, good = Scripted(), Scripted()
    bad.failure, bad.fail_at = provider_error("broken_stream"), 1
    target = pool(bad, good)
    async with aclosing(target.stream_chat(chat())) as events:
        assert await anext(events) == Delta("ok")
        with pytest.raises(ProviderError):
            await anext(events)
    assert good.asked == []
    assert target.status()[0].in_flight == 0


@pytest.mark.parametrize("kind", ["bad_request", "too_long", "blocked"])
async def test_a_refused_question_is_not_asked_of_others(kind: str) -> None:
    bad, good = Scripted(), Scripted()
    bad.failure = provider_error(kind)
    assert (await failure(pool(bad, good))).kind == kind
    assert good.asked == []


async def test_embeddings_go_the_same_way() -> None:
    bad, good = Scripted(), Scripted(Embedding(0, (1.0,)), Finish("stop"))
    bad.failure = provider_error("overloaded")
    found = await answer(pool(bad, good), EmbedRequest("m", ["x"]))
    assert found == [Embedding(0, (1.0,)), Finish("stop")]


async def test_full_upstreams_are_waited_for_in_order(autojump_clock: MockClock) -> None:
    one, two = Scripted(), Scripted()
    one.gate = two.gate = trio.Event()
    target = pool(one, two, max_concurrent=2)
    order: list[int] = []

    async def ask(number: int) -> None:
        await trio.sleep(number / 1000)
        await answer(target, chat())
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(ask, number)
        await trio.sleep(1)
        assert (one.open, two.open) == (2, 2)
        one.gate.set()
    assert max(one.most_open, two.most_open) == 2
    assert sorted(order) == list(range(20))
    assert all(abs(place - number) < 4 for place, number in enumerate(order))


async def test_waiting_ends_with_a_free_refusal(autojump_clock: MockClock) -> None:
    busy = Scripted()
    busy.gate = trio.Event()
    target = pool(busy, max_concurrent=1, wait_s=5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, target, chat())
        await trio.sleep(1)
        started = trio.current_time()
        error = await failure(target)
        assert trio.current_time() - started == 5
        assert (error.kind, error.retry_after_s) == ("overloaded", BUSY_S)
        busy.gate.set()
    assert target.status()[0].in_flight == 0


async def test_who_stops_waiting_takes_no_place(autojump_clock: MockClock) -> None:
    busy = Scripted()
    busy.gate = trio.Event()
    target = pool(busy, max_concurrent=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, target, chat())
        await trio.sleep(1)
        with trio.move_on_after(1):
            await answer(target, chat())
        busy.gate.set()
    assert len(busy.asked) == 1
    assert target.status()[0].in_flight == 0


async def test_a_place_given_to_who_just_left_is_not_lost() -> None:
    member = Member(Upstream(max_concurrent=1), Scripted())
    places = Places([member], lambda: 0.0)
    assert await places.take("m", None, frozenset(), 9.0) is member
    async with trio.open_nursery() as nursery:
        nursery.start_soon(places.take, "m", None, frozenset(), 9.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        places.leave(member)  # hands it to the one that was cancelled in the same moment
        assert member.in_flight == 1
    assert (member.in_flight, places.waiting) == (0, 0)


async def test_a_closed_answer_gives_its_place_back() -> None:
    one = Scripted()
    target = pool(one)
    async with aclosing(target.stream_chat(chat())) as events:
        await anext(events)
        assert target.status()[0].in_flight == 1
    assert target.status()[0].in_flight == 0
    assert one.open == 0


async def test_a_sick_upstream_is_left_alone_and_tried_again(autojump_clock: MockClock) -> None:
    sick, well = Scripted(), Scripted()
    sick.failure = provider_error("overloaded")
    target = pool(sick, well)
    for _ in range(4 * FAILURES):
        await answer(target, chat())
    assert len(sick.asked) == FAILURES
    status = target.status()[0]
    assert (status.state, status.failure, status.wait_s) == ("paused", "overloaded", FIRST_PAUSE_S)
    await trio.sleep(FIRST_PAUSE_S)
    sick.failure = None
    for _ in range(4):
        await answer(target, chat())
    assert len(sick.asked) > FAILURES + 1
    assert target.status()[0].state == "well"


async def test_a_trial_is_one_question(autojump_clock: MockClock) -> None:
    sick, well = Scripted(), Scripted()
    sick.failure = provider_error("rate_limit", 7.0)
    target = pool(sick, well)
    await answer(target, chat())
    await trio.sleep(7)
    sick.failure = None
    sick.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(answer, target, chat())
        await trio.testing.wait_all_tasks_blocked()
        assert sick.open == 1
        sick.gate.set()


async def test_all_that_can_be_asked_are_tired(autojump_clock: MockClock) -> None:
    one, two = Scripted(), Scripted()
    one.failure, two.failure = provider_error("rate_limit", 30.0), provider_error("rate_limit", 9.0)
    target = pool(one, two)
    error = await failure(target)
    assert (error.kind, error.retry_after_s) == ("rate_limit", 9.0)
    await trio.sleep(2)
    error = await failure(target)  # nobody is asked, and nobody waits
    assert (error.kind, error.retry_after_s) == ("rate_limit", 7.0)
    assert (len(one.asked), len(two.asked)) == (1, 1)


async def test_a_revoked_key_is_out_until_told() -> None:
    one = Scripted()
    one.failure = provider_error("auth")
    target = pool(one)
    assert (await failure(target)).kind == "auth"
    one.failure = None
    error = await failure(target)
    assert (error.kind, error.retry_after_s) == ("auth", None)
    assert target.status()[0].state == "out"
    assert target.restore("other") == 0
    assert target.restore("u0") == 1
    assert (await answer(target, chat()))[0] == Delta("ok")


async def test_models_that_upstreams_tell() -> None:
    one, two, mute = Scripted(names=("a", "b")), Scripted(names=("b", "c")), Scripted()
    mute.failure = provider_error("unreachable")
    assert await pool(one, two, mute).models() == ["a", "b", "c"]
    with pytest.raises(ProviderError):
        await pool(mute).models()


async def test_closing_closes_all() -> None:
    one, two = Scripted(), Scripted()
    target = pool(one, two)
    await target.aclose()
    assert (one.closed, two.closed) == (1, 1)
    assert repr(target) == "Pool(2 upstreams)"


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40),
)
async def test_places_are_never_lost(
    upstreams: list[tuple[int, int]], steps: list[tuple[int, bool]]
) -> None:
    members = [
        Member(Upstream(weight=weight, max_concurrent=most), Scripted())
        for weight, most in upstreams
    ]
    places = Places(members, lambda: 0.0)
    held: list[Member] = []
    for number, takes in steps:
        if takes:
            member = await places.take("m", bytes([number]), frozenset(), 0.0)
            if member is None:
                assert all(m.full for m in members)
            else:
                held.append(member)
        elif held:
            places.leave(held.pop(number % len(held)))
        assert sum(member.in_flight for member in members) == len(held)
        for member in members:
            most = member.upstream.max_concurrent
            assert member.in_flight <= (most or 40)
    assert places.waiting == 0
