"""From an operator's settings to backends, over real sockets."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from engine.errors import ConfigError, ProviderError
from engine.exit.backends.anthropic import AnthropicBackend
from engine.exit.backends.base import Delta, Finish
from engine.exit.backends.build import build_backend, build_one, listing_of, options_of, rekey
from engine.exit.backends.google import GoogleBackend
from engine.exit.backends.listing import Listing
from engine.exit.backends.openai import OpenAIBackend
from engine.exit.backends.openai_responses import OpenAIResponsesBackend
from engine.exit.backends.upstream import Upstream
from engine.exit.question import OPTIONS
from tests.helpers.backends import answer, chat
from tests.helpers.wire_server import Reply, events, serving

pytestmark = pytest.mark.trio
SAID = [
    {"choices": [{"delta": {"content": "ok"}, "finish_reason": None}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
]


@pytest.mark.parametrize(
    ("kind", "backend"),
    [
        ("openai", OpenAIBackend),
        ("openai-responses", OpenAIResponsesBackend),
        ("anthropic", AnthropicBackend),
        ("google", GoogleBackend),
    ],
)
async def test_kinds(kind: str, backend: type) -> None:
    made = build_one(Upstream(kind, "https://example.org", "SECRET"))
    assert type(made) is backend
    assert "SECRET" not in repr(made)
    await made.aclose()


@pytest.mark.parametrize(
    "upstream",
    [
        Upstream("telepathy", "https://example.org"),
        Upstream(url=""),
        Upstream(url="ftp://example.org"),
        Upstream(url="https://"),
        Upstream(url="https://SECRET@example.org"),
        Upstream(url="https://example.org/?key=SECRET"),
        Upstream(url="https://example.org", key="SECRET\n"),
        Upstream(url="https://example.org", key="SÉCRET"),
        Upstream(url="https://example.org", weight=0),
        Upstream(url="https://example.org", max_concurrent=-1),
        Upstream(url="https://example.org", silence_s=0),
        Upstream("llama-cpp"),
    ],
)
async def test_what_cannot_be(upstream: Upstream) -> None:
    with pytest.raises(ConfigError) as caught:
        build_backend([upstream])
    assert "SECRET" not in repr(caught.value.as_dict())


async def test_nothing_to_ask() -> None:
    with pytest.raises(ConfigError):
        build_backend([])


async def test_a_key_stays_out_of_sight() -> None:
    assert "SECRET" not in repr(Upstream(key="SECRET"))


async def test_options_that_all_kinds_pass_on() -> None:
    assert options_of(["openai"]) == tuple(sorted(OPTIONS))
    assert set(OPTIONS) - set(options_of(["openai", "llama-cpp"])) == {"reasoning_effort"}
    assert options_of(["openai", "anthropic"]) == (
        "reasoning_effort",
        "response_format",
        "stop",
        "temperature",
        "top_p",
    )


async def test_a_cluster_of_real_servers_with_one_that_died() -> None:
    reply = Reply.stream(events(*SAID, "[DONE]"))
    refusal = Reply.document({"error": {"code": "overloaded"}}, 503, retry_after="60")
    async with serving(reply) as good, serving(refusal) as sick:
        target = build_backend(
            [
                Upstream(url="http://127.0.0.1:1", name="dead"),
                Upstream(url=sick.url, name="sick"),
                Upstream(url=good.url, name="good"),
            ]
        )
        for _ in range(9):
            assert (await answer(target, chat()))[0] == Delta("ok")
        await target.aclose()
    states = {status.name: status.state for status in target.status()}
    assert states == {"dead": "paused", "sick": "paused", "good": "well"}
    assert len(sick.seen) == 1
    assert len(good.seen) == 9


async def test_models_of_an_upstream() -> None:
    async with serving(Reply.document({"data": [{"id": "a"}]})) as server:
        assert await listing_of(Upstream(url=server.url, key="k")) == Listing(("a",))
    assert server.seen[0].headers["authorization"] == "Bearer k"


async def test_silence_is_what_its_operator_says() -> None:
    async with serving(Reply.stream(": wait\n\n", end="stall")) as server:
        target = build_backend([Upstream(url=server.url, silence_s=1)])
        with pytest.raises(ProviderError) as caught:
            await answer(target, chat())
        await target.aclose()
    assert caught.value.kind == "timeout"


async def test_a_new_key_is_taken_while_answers_run() -> None:
    refusal = Reply.document({"error": {"code": "invalid_api_key"}}, 401)
    said = Reply.stream(events(*SAID, "[DONE]"))
    async with serving(said, refusal, said) as one, serving(said) as two:
        target = build_backend(
            [
                Upstream(url=one.url, key="old", models={"a": "a"}, name="one"),
                Upstream(url=two.url, key="same", models={"b": "b"}, name="two"),
            ]
        )
        other = target.backends()["b"]
        async with aclosing(target.stream_chat(chat("a"))) as running:
            assert await anext(running) == Delta("ok")
            with pytest.raises(ProviderError):
                await answer(target, chat("a"))
            assert target.status()[0].state == "out"
            assert rekey(target, ["new", "same"]) == 1
            assert target.status()[0].state == "well"
            assert await anext(running) == Finish("stop")
        assert (await answer(target, chat("a")))[0] == Delta("ok")
        assert target.backends()["b"] is other
        with pytest.raises(ConfigError):
            rekey(target, ["bad key", "worse key"])
        await target.aclose()
    used = [seen.headers["authorization"] for seen in one.seen]
    assert used == ["Bearer old", "Bearer old", "Bearer new"]
