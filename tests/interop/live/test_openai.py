"""OpenAI's own Python client: everything that the local API serves, over the demo network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.helpers.demo_api import EMBEDDER, DemoApi
from tests.helpers.pictures import PNG_URL
from tests.helpers.provider_able import MODEL, ONION, vector

HI: list[Any] = [{"role": "user", "content": "What is an onion?"}]
LAYERS = {"type": "object", "properties": {"of": {"type": "string"}}, "required": ["of"]}
FUNCTIONS = [
    {"name": "layers", "description": "How many layers.", "parameters": LAYERS},
    {"name": "price", "description": "What it costs.", "parameters": LAYERS},
]
TOOLS: list[Any] = [{"type": "function", "function": function} for function in FUNCTIONS]
FOUND = {"layers": "seven layers", "price": "two sat"}
BOTH = "Ask layers, then price."
TOLD = "The tools found: seven layers; two sat"


class Vegetable(BaseModel):
    """What the model is made to answer with."""

    name: str
    layers: int
    kinds: list[str]


AN_ONION = Vegetable(name="onion", layers=21, kinds=["onion"])


@pytest.fixture(scope="module")
def client(demo: DemoApi) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=demo.url, api_key=demo.key("openai"), timeout=120) as made:
        yield made


def test_models(client: openai.OpenAI) -> None:
    found = {model.id: model for model in client.models.list()}
    assert {MODEL, EMBEDDER} == set(found)
    assert client.models.retrieve(MODEL) == found[MODEL]
    assert found[MODEL].model_extra is not None
    assert "tools" in found[MODEL].model_extra["peer2prompt"]["features"]


def test_a_whole_answer_with_its_price(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=HI)
    answer = raw.parse()
    assert answer.choices[0].message.content == ONION
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len(ONION.split())
    assert answer.model_extra is not None
    account = answer.model_extra["peer2prompt"]
    spent = answer.usage.prompt_tokens * 10_000_000 + answer.usage.completion_tokens * 40_000_000
    assert account["cost_msat"] == spent // 1_000_000
    assert raw.headers["x-peer2prompt-cost-msat"] == str(account["cost_msat"])
    assert raw.headers["x-peer2prompt-receipt"] == account["receipts"][-1]["hash"]
    assert raw.headers["x-peer2prompt-ghost"] == account["ghost"]


def test_a_stream_comes_in_pieces(client: openai.OpenAI) -> None:
    pieces, usage, account = [], None, None
    asked: Any = {"role": "user", "content": "count to 8"}
    for chunk in client.chat.completions.create(
        model="auto", messages=[asked], stream=True, stream_options={"include_usage": True}
    ):
        pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        usage = chunk.usage or usage
        account = (chunk.model_extra or {}).get("peer2prompt") or account
    assert "".join(pieces) == "1 2 3 4 5 6 7 8"
    assert len(pieces) > 1
    assert usage is not None
    assert usage.completion_tokens == 8
    assert account is not None
    assert account["receipts"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_whole_loop_of_tools(client: openai.OpenAI, streamed: bool) -> None:
    """The answers go back as the client's own objects, with all their empty fields."""
    said: list[Any] = [{"role": "user", "content": BOTH}]
    called: list[str] = []
    while True:
        asked: dict[str, Any] = {"model": MODEL, "messages": said, "tools": TOOLS}
        if streamed:
            with client.chat.completions.stream(**asked) as stream:
                (choice,) = stream.get_final_completion().choices
        else:
            (choice,) = client.chat.completions.create(**asked).choices
        said.append(choice.message)
        if choice.finish_reason != "tool_calls":
            break
        for call in choice.message.tool_calls or ():
            assert json.loads(call.function.arguments) == {"of": "onion"}
            called.append(call.function.name)
            found = FOUND[call.function.name]
            said.append({"role": "tool", "tool_call_id": call.id, "content": found})
    assert (called, said[-1].content) == (["layers", "price"], TOLD)


def test_json(client: openai.OpenAI) -> None:
    form: Any = {"type": "json_object"}
    answer = client.chat.completions.create(model=MODEL, messages=HI, response_format=form)
    assert json.loads(answer.choices[0].message.content or "") == {"answer": ONION}
    parsed = client.chat.completions.parse(model=MODEL, messages=HI, response_format=Vegetable)
    assert parsed.choices[0].message.parsed == AN_ONION


def test_pictures(client: openai.OpenAI) -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
    ]
    asked: list[Any] = [{"role": "user", "content": parts}]
    answer = client.chat.completions.create(model=MODEL, messages=asked)
    assert (answer.choices[0].message.content or "").startswith("I see 1 pictures: data:image/png")
    parts[1] = {"type": "image_url", "image_url": {"url": "https://example.com/onion.png"}}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=asked)


def test_embeddings(client: openai.OpenAI) -> None:
    texts = ["abba", "an onion"]
    for form in ({}, {"encoding_format": "float"}, {"dimensions": 4}):
        found = client.embeddings.create(model=EMBEDDER, input=texts, **form)  # type: ignore[arg-type]
        size = len(found.data[0].embedding)
        assert [one.embedding for one in found.data] == [vector(text, size) for text in texts]
        assert size == form.get("dimensions", 8)
        assert found.usage.prompt_tokens == 3


def test_responses(client: openai.OpenAI) -> None:
    answer = client.responses.create(model=MODEL, instructions="Be brief.", input="An onion?")
    assert (answer.output_text, answer.status) == (ONION, "completed")
    assert answer.model_extra is not None
    assert answer.model_extra["peer2prompt"]["cost_msat"] > 0
    with client.responses.stream(model=MODEL, input="count to 4") as stream:
        said = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        assert said == stream.get_final_response().output_text == "1 2 3 4"
    parsed = client.responses.parse(model=MODEL, input="An onion?", text_format=Vegetable)
    assert parsed.output_parsed == AN_ONION


def test_responses_with_a_whole_loop_of_tools(client: openai.OpenAI) -> None:
    said: list[Any] = [{"role": "user", "content": BOTH}]
    tools: Any = [{"type": "function", **function} for function in FUNCTIONS]
    while True:
        answer = client.responses.create(model=MODEL, input=said, tools=tools)
        said += answer.output
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            break
        said += [
            {"type": "function_call_output", "call_id": c.call_id, "output": FOUND[c.name]}
            for c in calls
        ]
    assert answer.output_text == TOLD


def test_the_asynchronous_client(demo: DemoApi) -> None:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=demo.url, api_key=demo.key("openai"), timeout=120
        ) as client:
            whole = await client.chat.completions.create(model=MODEL, messages=HI)
            stream = await client.chat.completions.create(model=MODEL, messages=HI, stream=True)
            pieces = [one.choices[0].delta.content or "" async for one in stream]
            return [whole.choices[0].message.content or "", "".join(pieces)]

    assert asyncio.run(ask()) == [ONION, ONION]
