"""The real `openai` client, unmodified, against the local API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import openai
import pytest

from engine.exit.backends.base import BackendEvent, ChatRequest, Finish, Reasoning, ToolCall, Usage
from engine.exit.policy import PLAIN_POLICY
from engine.wire.quote import ModelOffer
from tests.helpers.api_world import ApiWorld, a_while, api_world, in_thread
from tests.helpers.chat_world import WORDS
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import MODEL

pytestmark = pytest.mark.trio
T = TypeVar("T")
HI = [{"role": "user", "content": "What is an onion?"}]
TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
    }
]


class Caller(ScriptedBackend):
    """Thinks, then calls a tool."""

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[BackendEvent, None]:
        self.requests.append(request)
        yield Reasoning("Let me see. ")
        yield ToolCall("call-1", "weather", '{"city": "Ghent"}')
        yield Usage(20, 9, 0, 4)
        yield Finish("tool_calls")


def tooled() -> dict[str, object]:
    offer = ModelOffer(MODEL, 1_000_000, 10_000_000, 1000, 1_000_000, 10_000_000, 0, ("tools",))
    policy = replace(PLAIN_POLICY, tools=True)
    return {"models": (offer,), "backend": Caller(), "policy": policy}


async def using(w: ApiWorld, work: Callable[[openai.OpenAI], T], key: str = "") -> T:
    def run() -> T:
        with openai.OpenAI(base_url=w.url, api_key=key or w.key, timeout=20) as client:
            return work(client)

    return await in_thread(run)


async def test_models_and_a_whole_answer(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:

        def work(client: openai.OpenAI) -> None:
            answer = client.chat.completions.create(model="auto", messages=HI)  # type: ignore[arg-type]
            assert answer.choices[0].message.content == "".join(WORDS)
            assert answer.usage is not None
            assert answer.usage.total_tokens == 25
            assert answer.model_extra is not None
            assert answer.model_extra["peer2prompt"]["cost_msat"] > 0
            assert [model.id for model in client.models.list()] == ["tiny"]
            raw = client.chat.completions.with_raw_response.create(model="tiny", messages=HI)  # type: ignore[arg-type]
            assert int(raw.headers["x-peer2prompt-cost-msat"]) > 0

        await using(w, work)


async def test_a_stream(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:

        def work(client: openai.OpenAI) -> tuple[str, int]:
            text, tokens = "", 0
            for chunk in client.chat.completions.create(
                model="tiny",
                messages=HI,  # type: ignore[arg-type]
                stream=True,
                stream_options={"include_usage": True},
            ):
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
                tokens += chunk.usage.total_tokens if chunk.usage else 0
            return text, tokens

        assert await using(w, work) == ("".join(WORDS), 25)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_is_called(tmp_path: Path, streamed: bool) -> None:
    async with api_world(tmp_path, **tooled()) as w:
        assert (await w.ask()).status_code == 200  # now the ghost's features are known

        def work(client: openai.OpenAI) -> None:
            asked = {"model": "tiny", "messages": HI, "tools": TOOLS}
            if streamed:
                with client.chat.completions.stream(**asked) as stream:  # type: ignore[arg-type]
                    answer = stream.get_final_completion()
            else:
                answer = client.chat.completions.create(**asked)  # type: ignore[call-overload]
            choice = answer.choices[0]
            assert choice.finish_reason == "tool_calls"
            (call,) = choice.message.tool_calls
            assert (call.id, call.function.name) == ("call-1", "weather")
            assert call.function.arguments == '{"city": "Ghent"}'
            assert answer.model_extra is not None

        await using(w, work)


async def test_errors_are_the_clients_own(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:

        def ask(client: openai.OpenAI, **more: object) -> None:
            client.chat.completions.create(
                **{"model": "tiny", "messages": HI, **more}  # type: ignore[call-overload]
            )

        with pytest.raises(openai.AuthenticationError):
            await using(w, ask, key="p2p-wrong")
        with pytest.raises(openai.BadRequestError, match="logit_bias"):
            await using(w, lambda client: ask(client, logit_bias={"5": 1}))
        w.chats.wallet.balance_sat = 0
        with pytest.raises(openai.APIStatusError) as caught:
            await using(w, ask)
        assert caught.value.status_code == 402
        assert "wallet" in str(caught.value)


async def test_a_cut_stream_raises(tmp_path: Path) -> None:
    backend = ScriptedBackend(WORDS, usage=(20, 5), fail_at=1, gate=a_while)
    async with api_world(tmp_path, backend=backend) as w:

        def work(client: openai.OpenAI) -> None:
            stream = client.chat.completions.create(
                model="tiny",
                messages=HI,  # type: ignore[arg-type]
                stream=True,
            )
            assert "".join(c.choices[0].delta.content or "" for c in stream)

        with pytest.raises(openai.APIError):
            await using(w, work)
