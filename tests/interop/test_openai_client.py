"""The real `openai` client, unmodified, against the local API."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import openai
import pytest

from tests.helpers.api_backends import CALL_FIELDS, TOOLS, embedding, tooled
from tests.helpers.api_world import ApiWorld, a_while, api_world, in_thread
from tests.helpers.chat_world import WORDS
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.patience import PATIENCE_S

pytestmark = pytest.mark.trio
T = TypeVar("T")
HI = [{"role": "user", "content": "What is an onion?"}]


async def using(w: ApiWorld, work: Callable[[openai.OpenAI], T], key: str = "") -> T:
    def run() -> T:
        with openai.OpenAI(base_url=w.url, api_key=key or w.key, timeout=PATIENCE_S) as client:
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


async def test_a_cut_response_says_so(tmp_path: Path) -> None:
    backend = ScriptedBackend(WORDS, usage=(20, 5), fail_at=1, gate=a_while)
    async with api_world(tmp_path, backend=backend) as w:

        def work(client: openai.OpenAI) -> None:
            stream = client.responses.create(model="tiny", input="Hello?", stream=True)
            *_, error, failed = stream
            assert (error.type, failed.type) == ("error", "response.failed")
            assert failed.response.status == "failed"
            assert failed.response.error is not None
            assert failed.response.error.message == error.message
            assert failed.response.output_text == WORDS[0]

        await using(w, work)


async def test_responses_whole_and_streamed(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:

        def work(client: openai.OpenAI) -> None:
            answer = client.responses.create(
                model="tiny",
                instructions="Be brief.",
                input=[
                    {"role": "user", "content": [{"type": "input_text", "text": "Hello?"}]},
                    {"role": "assistant", "content": "Hello."},
                    {"role": "user", "content": "What is an onion?"},
                ],
                max_output_tokens=50,
            )
            assert answer.output_text == "".join(WORDS)
            assert answer.usage is not None
            assert answer.usage.total_tokens == 25
            with client.responses.stream(model="tiny", input="Hello?") as stream:
                said = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
                assert said == stream.get_final_response().output_text == answer.output_text
            with pytest.raises(openai.BadRequestError, match="previous_response_id"):
                client.responses.create(model="tiny", input="And?", previous_response_id=answer.id)

        await using(w, work)
        assert [m["role"] for m in w.chats.ghosts[0].asked[0]] == [
            "system",
            "user",
            "assistant",
            "user",
        ]


@pytest.mark.parametrize("streamed", [False, True])
async def test_responses_call_tools(tmp_path: Path, streamed: bool) -> None:
    async with api_world(tmp_path, **tooled()) as w:
        assert (await w.ask()).status_code == 200
        tool = {"type": "function", **TOOLS[0]["function"]}

        def work(client: openai.OpenAI) -> None:
            said: list[object] = [{"role": "user", "content": "How is the weather?"}]
            asked = {"model": "tiny", "input": said, "tools": [tool]}
            if streamed:
                with client.responses.stream(**asked) as stream:  # type: ignore[arg-type]
                    answer = stream.get_final_response()
            else:
                answer = client.responses.create(**asked)  # type: ignore[call-overload]
            thought, call = answer.output
            assert thought.content[0].text == "Let me see. "
            assert (call.call_id, call.name) == ("call-1", "weather")
            found = {"type": "function_call_output", "call_id": "call-1", "output": "Rain."}
            asked["input"] = [*said, call.model_dump(include=CALL_FIELDS), found]
            client.responses.create(**asked)  # type: ignore[call-overload]

        await using(w, work)
        told = w.chats.ghosts[0].asked[-1]
        assert [m["role"] for m in told] == ["user", "assistant", "tool"]
        assert told[1]["tool_calls"][0]["function"]["name"] == "weather"


@pytest.mark.parametrize("packed", [False, True])
async def test_embeddings(tmp_path: Path, packed: bool) -> None:
    async with api_world(tmp_path, **embedding()) as w:
        assert (await w.ask()).status_code == 200

        def work(client: openai.OpenAI) -> None:
            more = {} if packed else {"encoding_format": "float"}
            found = client.embeddings.create(model="tiny", input=["An onion", "a leek"], **more)  # type: ignore[arg-type]
            assert [one.index for one in found.data] == [0, 1]
            assert math.isclose(found.data[1].embedding[1], 1.5)
            assert found.usage.prompt_tokens == 20

        await using(w, work)
