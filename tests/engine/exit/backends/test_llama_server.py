"""The OpenAI-compatible backend against a server that others wrote: llama.cpp's own, with a model.

Two real servers of a second each; absent only where the provider environment is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from engine.errors import ProviderError
from engine.exit.backends.base import BackendEvent, Delta, Embedding, EmbedRequest, Finish, Usage
from engine.exit.backends.build import build_backend
from engine.exit.backends.openai import OpenAIBackend
from engine.exit.backends.upstream import Upstream
from tests.helpers.backends import LONG, TOOL, answer, chat
from tests.helpers.llama_server import llama_server
from tui.demo.errors import DemoError
from tui.demo.tools import provider_model


def no_model() -> bool:
    try:
        provider_model()
    except DemoError:
        return True
    return False


pytestmark = [
    pytest.mark.trio,
    pytest.mark.skipif(no_model(), reason="the provider environment is not there (make env)"),
]
CALM = {"temperature": 0}
COLOUR = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["colour"],
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with llama_server() as address:
        yield address


def text_of(found: list[BackendEvent]) -> str:
    return "".join(event.text for event in found if isinstance(event, Delta))


async def test_a_session_finds_its_prefix_again(url: str) -> None:
    target = build_backend([Upstream(url=url, models={"offered": "small"})])
    hello = {"role": "user", "content": "Say hi."}
    asked = chat("offered", messages=[hello], max_tokens=8, params=CALM, session=b"s")
    *_, first, end = await answer(target, asked)
    again = await answer(target, asked)
    await target.aclose()
    assert isinstance(first, Usage)
    assert first.tokens_in > 10
    assert first.tokens_out == 8
    assert end == Finish("length")
    usage = again[-2]
    assert isinstance(usage, Usage)
    assert (usage.tokens_in, usage.tokens_out) == (first.tokens_in, first.tokens_out)
    assert usage.cached > 0


async def test_a_schema_is_kept_to(url: str) -> None:
    backend = OpenAIBackend(url)
    shape = {"type": "json_schema", "json_schema": {"name": "found", "schema": COLOUR}}
    message = {"role": "user", "content": "A colour."}
    asked = chat("small", messages=[message], params=CALM, response_format=shape)
    found = await answer(backend, asked)
    await backend.aclose()
    assert json.loads(text_of(found))["colour"] in ("red", "blue")
    assert found[-1] == Finish("stop")


async def test_it_takes_tools_and_what_they_returned(url: str) -> None:
    backend = OpenAIBackend(url)
    spoken = [message for message in LONG if not isinstance(message["content"], list)]
    asked = chat("small", messages=spoken, max_tokens=4, tools=[TOOL], tool_choice="auto")
    found = await answer(backend, asked)
    assert await backend.models() == ["small"]
    await backend.aclose()
    assert isinstance(found[-1], Finish)


@pytest.mark.parametrize(
    ("messages", "shape", "kind"),
    [
        ([{"role": "user", "content": "SECRET " * 3000}], None, "too_long"),
        ([{"role": "user", "content": "SECRET"}], {"type": 5}, "bad_request"),
        (LONG, None, None),
    ],
)
async def test_its_refusals_are_understood(
    url: str, messages: list[dict[str, object]], shape: object, kind: str | None
) -> None:
    """The last one holds an image, which this model cannot see: any kind of refusal will do."""
    backend = OpenAIBackend(url)
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": shape}}
    asked = chat("small", messages=messages, response_format=wanted if shape else None)
    with pytest.raises(ProviderError) as caught:
        await answer(backend, asked)
    await backend.aclose()
    assert kind is None or caught.value.kind == kind
    assert "SECRET" not in repr(caught.value.as_dict())


async def test_embeddings() -> None:
    with llama_server("--embeddings") as address:
        backend = OpenAIBackend(address)
        found = await answer(backend, EmbedRequest("small", ["an onion", "a circuit"]))
        await backend.aclose()
    one, two, usage, end = found
    assert isinstance(one, Embedding)
    assert isinstance(two, Embedding)
    assert len(one.vector) == len(two.vector) == 576
    assert one.vector != two.vector
    assert isinstance(usage, Usage)
    assert usage.tokens_in > 2
    assert end == Finish("stop")
