# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Everything a provider says reaches the client as parts of one paid answer."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from engine.exit.answering import asked, written
from engine.exit.backends.base import (
    BackendEvent,
    ChatRequest,
    Declined,
    Delta,
    Embedding,
    EmbedRequest,
    Events,
    Finish,
    Reasoning,
    ToolCall,
    Usage,
)
from engine.wire.answer import AnswerWriter, Call, Text, Vector, plain_text, read_answer
from engine.wire.policy import GhostPolicy
from tests.helpers.backends import TOOL
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, terms, world

pytestmark = pytest.mark.trio
SAID: Sequence[BackendEvent] = (
    Reasoning("Rain"),
    Reasoning("?"),
    Delta("Let me see."),
    ToolCall("c1", "weather", '{"place":"Oslo"}'),
    Declined(" No."),
    Usage(20, 30, cached=4, reasoning=5),
    Finish("tool_calls"),
)


class Speaker(ScriptedBackend):
    """Says these events to every question, and remembers whether it was asked to embed."""

    def __init__(self, *events: BackendEvent) -> None:
        super().__init__()
        self.events = events
        self.embedded: list[EmbedRequest] = []

    async def stream_chat(self, request: ChatRequest) -> Events:
        self.requests.append(request)
        for event in self.events:
            await trio.lowlevel.checkpoint()
            yield event

    async def embed(self, request: EmbedRequest) -> Events:
        self.embedded.append(request)
        for event in self.events:
            await trio.lowlevel.checkpoint()
            yield event


async def test_parts_reach_the_client_and_are_paid_as_one_answer(
    autojump_clock: MockClock,
) -> None:
    offer = replace(terms().models[0], features=("reasoning", "tools"))
    policy = GhostPolicy(tools=True, params=("reasoning_effort",))
    speaker = Speaker(*SAID)
    async with world(speaker, models=(offer,), policy=policy) as w:
        asker = w.asker()
        result = await asker.ask(HI, MODEL, {"tools": [TOOL], "reasoning_effort": "low"}, w.note)
    assert read_answer(w.text) == [
        Text("r", "Rain?"),
        Text("t", "Let me see."),
        Call("c1", "weather", '{"place":"Oslo"}'),
        Text("f", " No."),
    ]
    assert plain_text(w.text) == "Let me see. No."
    assert (result.tokens_in, result.tokens_out) == (20, 30)
    assert result.finish_reason == "tool_calls"
    (request,) = speaker.requests
    assert request.tools == [TOOL]
    assert request.params == {"reasoning_effort": "low"}
    assert request.session is not None


async def test_sessions_have_prefix_keys_of_their_own(autojump_clock: MockClock) -> None:
    async with world() as w:
        one, two = w.asker(), w.asker()
        for asker in (one, two, one):
            await asker.ask(HI, MODEL)
    keys = [request.session for request in w.backend.requests]
    assert keys[0] == keys[2] != keys[1]


async def test_embeddings_are_asked_for_as_such() -> None:
    speaker = Speaker(Embedding(0, (1.0, -2.0)), Usage(3, 0), Finish("stop"))
    request = EmbedRequest("m", ["x"])
    writer = AnswerWriter()
    async with aclosing(asked(speaker, request)) as events:
        answer = "".join([written(writer, event) async for event in events])
    assert read_answer(answer) == [Vector(0, (1.0, -2.0))]
    assert speaker.embedded == [request]


async def test_a_picture_is_paid_as_a_picture(autojump_clock: MockClock) -> None:
    """Its 400 kB of base64 would be 100,000 tokens of text; the provider counts 900."""
    offer = replace(terms().models[0], features=("images",))
    speaker = Speaker(Delta("An onion."), Usage(900, 3), Finish("stop"))
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(300_000)).decode()
    url = f"data:image/png;base64,{picture}"
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    async with world(speaker, models=(offer,), policy=GhostPolicy(images=True)) as w:
        result = await w.asker().ask([message], MODEL)
    assert (result.tokens_in, result.tokens_out) == (900, 3)
    assert result.cost_msat == 9_300
    assert result.quoted_msat < 25_000 * 10 + 100_000 + 1000
