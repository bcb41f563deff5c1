"""Anthropic's own Python client: everything that the local API serves, over the demo network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from tests.helpers.demo_api import EMBEDDER, DemoApi
from tests.helpers.pictures import PNG_BASE64
from tests.helpers.provider_able import MODEL, ONION

HI: list[Any] = [{"role": "user", "content": "What is an onion?"}]
ASKED: dict[str, Any] = {"model": MODEL, "max_tokens": 100}
LAYERS = {"type": "object", "properties": {"of": {"type": "string"}}, "required": ["of"]}
TOOLS: list[Any] = [
    {"name": "layers", "description": "How many layers.", "input_schema": LAYERS},
    {"name": "price", "description": "What it costs.", "input_schema": LAYERS},
]
FOUND = {"layers": "seven layers", "price": "two sat"}
BOTH: Any = {"role": "user", "content": "Ask layers, then price."}
TOLD = "The tools found: seven layers; two sat"


class Vegetable(BaseModel):
    """What the model is made to answer with."""

    name: str
    layers: int


@pytest.fixture(scope="module")
def client(demo: DemoApi) -> Iterator[anthropic.Anthropic]:
    url = demo.url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key=demo.key("anthropic"), timeout=120) as made:
        yield made


def test_models(client: anthropic.Anthropic) -> None:
    assert [model.id for model in client.models.list()] == [MODEL, EMBEDDER]
    found = client.models.retrieve(MODEL)
    assert (found.id, found.display_name, found.type) == (MODEL, MODEL, "model")


def test_a_whole_answer_with_its_price(client: anthropic.Anthropic) -> None:
    system: Any = [{"type": "text", "text": "Brief.", "cache_control": {"type": "ephemeral"}}]
    raw = client.messages.with_raw_response.create(
        messages=HI, system=system, stop_sequences=["###"], **ASKED
    )
    answer: Any = raw.parse()
    assert (answer.content[0].text, answer.stop_reason) == (ONION, "end_turn")
    assert answer.usage.output_tokens == len(ONION.split())
    assert raw.headers["x-peer2prompt-cost-msat"] == str(answer.peer2prompt["cost_msat"])
    cut = client.messages.create(messages=HI, model=MODEL, max_tokens=2)
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 2)


def test_a_stream_comes_in_pieces(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        messages=[{"role": "user", "content": "count to 8"}], **ASKED
    ) as stream:
        pieces = list(stream.text_stream)
        last = stream.get_final_message()
    assert "".join(pieces) == "1 2 3 4 5 6 7 8"
    assert len(pieces) > 1
    assert (last.stop_reason, last.usage.output_tokens) == ("end_turn", 8)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_whole_loop_of_tools(client: anthropic.Anthropic, streamed: bool) -> None:
    said: list[Any] = [BOTH]
    answer: Any
    while True:
        if streamed:
            with client.messages.stream(messages=said, tools=TOOLS, **ASKED) as stream:
                answer = stream.get_final_message()
        else:
            answer = client.messages.create(messages=said, tools=TOOLS, **ASKED)
        said.append({"role": "assistant", "content": answer.content})
        if answer.stop_reason != "tool_use":
            break
        calls = [block for block in answer.content if block.type == "tool_use"]
        assert all(call.input == {"of": "onion"} for call in calls)
        found = [
            {"type": "tool_result", "tool_use_id": call.id, "content": FOUND[call.name]}
            for call in calls
        ]
        said.append({"role": "user", "content": found})
    assert answer.content[-1].text == TOLD


def test_the_clients_own_tool_runner(client: anthropic.Anthropic) -> None:
    """It offers that the server keep the conversation, and goes on without when it will not."""

    @anthropic.beta_tool
    def layers(of: str) -> str:
        """How many layers a vegetable has.

        Args:
            of: the vegetable
        """
        return f"seven layers of {of}"

    question: Any = {"role": "user", "content": "Ask layers."}
    runner = client.beta.messages.tool_runner(messages=[question], tools=[layers], **ASKED)
    last: Any = runner.until_done()
    assert last.content[-1].text == "The tools found: seven layers of onion"


def test_a_schema(client: anthropic.Anthropic) -> None:
    answer = client.messages.parse(messages=HI, output_format=Vegetable, **ASKED)
    assert answer.parsed_output == Vegetable(name="onion", layers=21)


def test_pictures(client: anthropic.Anthropic) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}
    parts: Any = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    answer: Any = client.messages.create(messages=[{"role": "user", "content": parts}], **ASKED)
    assert answer.content[0].text.startswith("I see 1 pictures: data:image/png")


def test_the_asynchronous_client(demo: DemoApi) -> None:
    async def ask() -> list[str]:
        async with anthropic.AsyncAnthropic(
            base_url=demo.url.removesuffix("/v1"), api_key=demo.key("anthropic"), timeout=120
        ) as client:
            whole: Any = await client.messages.create(messages=HI, **ASKED)
            async with client.messages.stream(messages=HI, **ASKED) as stream:
                said = "".join([piece async for piece in stream.text_stream])
            return [whole.content[0].text, said]

    assert asyncio.run(ask()) == [ONION, ONION]
