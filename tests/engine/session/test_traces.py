"""Whole conversations in virtual time, money included: what crosses the line tells one bucket."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from engine.circuit.stream import CircuitStream
from engine.errors import ProviderError
from engine.wire.shape import ShapeClass, ShapePlan
from tests.helpers.joined import Joined
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import MODEL, world

TICK_MS, DELAY_MS = 125, 31
TEXT = ShapePlan(ShapeClass.TEXT, TICK_MS, (64, 256))
ALWAYS_ON = ShapePlan(ShapeClass.ALWAYS_ON, TICK_MS, (64, 256))
ASKED_AT_S = 20  # when opening and prepayment are long over
END_S = 90.01


@dataclass(frozen=True)
class Story:
    """What happens in one conversation; every field is something the line must not tell."""

    words: int = 3
    stall_s: float = 0.0  # before each word
    first_stall_s: float = 0.0
    mint_s: float = 0.0  # the mint's time for one payment
    prompt: str = "What is an onion?"
    cancel_after_s: float | None = None
    fails_at: int | None = None
    asked: list[str] = field(default_factory=list, compare=False)


def trace(plan: ShapePlan, story: Story) -> tuple[list[int], list[int]]:
    """Milliseconds at which cells left, (up, down)."""

    async def gate(index: int) -> None:
        await trio.sleep(story.stall_s if index else story.first_stall_s)

    async def main() -> tuple[list[int], list[int]]:
        backend = ScriptedBackend(["word "] * story.words, gate=gate, fail_at=story.fails_at)
        async with world(backend, chunk_msat=10_000) as w:
            w.earner.delay_s = story.mint_s
            joined = Joined(plan, w.ghost.serve_session, w.nursery, delay_s=DELAY_MS / 1000)
            joined.client.circuit_tag = joined.exit.circuit_tag = os.urandom(32)
            joined.client.peer_node_id = w.identity.node_id
            joined.start()

            async def open_stream() -> CircuitStream:
                stream = joined.client.open_stream(b"\1")
                joined.start_pumps()
                return stream

            w.open_stream = open_stream  # type: ignore[assignment, method-assign]
            asker = w.asker()
            await asker.open()
            await trio.sleep(ASKED_AT_S - trio.current_time())
            question = [{"role": "user", "content": story.prompt}]
            with trio.move_on_after(story.cancel_after_s or float("inf")) as patience:
                try:
                    await asker.ask(question, MODEL, {})
                except ProviderError:
                    story.asked.append("failed")
            if patience.cancelled_caught:
                await asker.cancel()
            story.asked.append("asked")
            await trio.sleep(END_S - trio.current_time())
            return joined.trace()

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


SHORT_BUCKET = {
    "three words at once": Story(),
    "a long thought": Story(first_stall_s=4.4),
    "slow words": Story(words=15, stall_s=0.37),
    "four payments": Story(words=390, stall_s=0.01),
    "payments at a slow mint": Story(words=250, stall_s=0.01, mint_s=0.9),
    "a long prompt": Story(prompt="why? " * 7_000),
    "a provider that fails": Story(words=9, stall_s=0.3, fails_at=6),
    "a question called off": Story(words=900, stall_s=0.2, cancel_after_s=3.3),
}
LONG_BUCKET = {
    "a thought of ten seconds": Story(first_stall_s=10.0),
    "half a minute of words and money": Story(words=390, stall_s=0.06),
    "a stall in the middle": Story(words=4, stall_s=6.0),
}


def expected(bucket: int) -> tuple[list[int], list[int]]:
    """The one trace of a conversation whose answer fell into `bucket`."""
    opening = [TICK_MS * n for n in range(64)]
    answer = [ASKED_AT_S * 1000 + TICK_MS * n for n in range(bucket)]
    up = [*opening, *answer]
    return up, [DELAY_MS + at for at in up]


@pytest.mark.parametrize("name", SHORT_BUCKET)
def test_whatever_fits_the_first_bucket_looks_the_same(name: str) -> None:
    story = SHORT_BUCKET[name]
    assert trace(TEXT, story) == expected(64)
    assert story.asked


@pytest.mark.parametrize("name", LONG_BUCKET)
def test_whatever_fits_the_second_bucket_looks_the_same(name: str) -> None:
    assert trace(TEXT, LONG_BUCKET[name]) == expected(256)


@pytest.mark.parametrize("name", [*SHORT_BUCKET, *LONG_BUCKET])
def test_always_on_looks_the_same_whatever_happens(name: str) -> None:
    up, down = trace(ALWAYS_ON, {**SHORT_BUCKET, **LONG_BUCKET}[name])
    assert up == [TICK_MS * n for n in range(int(END_S * 1000) // TICK_MS + 1)]
    assert down == [DELAY_MS + at for at in up[:-1]]
