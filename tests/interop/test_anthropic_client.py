"""The real `anthropic` client, unmodified, against the local API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anthropic
import pytest

from tests.helpers.api_backends import tooled
from tests.helpers.api_world import ApiWorld, a_while, api_world, in_thread
from tests.helpers.chat_world import WORDS
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.patience import PATIENCE_S

pytestmark = pytest.mark.trio
T = TypeVar("T")
ASKED: dict[str, Any] = {
    "model": "tiny",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "What is an onion?"}],
}
TOOL: dict[str, Any] = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}


async def using(w: ApiWorld, work: Callable[[anthropic.Anthropic], T], key: str = "") -> T:
    def run() -> T:
        url = w.url.removesuffix("/v1")
        with anthropic.Anthropic(base_url=url, api_key=key or w.key, timeout=PATIENCE_S) as client:
            return work(client)

    return await in_thread(run)


async def test_a_whole_answer_and_a_stream(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:

        def work(client: anthropic.Anthropic) -> None:
            answer = client.messages.create(**ASKED, system="Be brief.", stop_sequences=["###"])
            assert answer.content[0].text == "".join(WORDS)
            assert (answer.stop_reason, answer.usage.input_tokens) == ("end_turn", 20)
            with client.messages.stream(**ASKED) as stream:
                assert "".join(stream.text_stream) == "".join(WORDS)
                last = stream.get_final_message()
            assert (last.stop_reason, last.usage.output_tokens) == ("end_turn", 5)

        await using(w, work)
        first = w.chats.ghosts[0].backend.requests[0]
        assert first.messages[0] == {"role": "system", "content": "Be brief."}
        assert first.params == {"stop": ["###"]}


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_are_called_and_what_they_found_is_told(tmp_path: Path, streamed: bool) -> None:
    async with api_world(tmp_path, **tooled()) as w:
        assert (await w.ask()).status_code == 200

        def work(client: anthropic.Anthropic) -> None:
            if streamed:
                with client.messages.stream(**ASKED, tools=[TOOL]) as stream:
                    answer: Any = stream.get_final_message()
            else:
                answer = client.messages.create(**ASKED, tools=[TOOL])
            thought, call = answer.content
            assert thought.thinking == "Let me see. "
            assert (call.id, call.name, call.input) == ("call-1", "weather", {"city": "Ghent"})
            assert answer.stop_reason == "tool_use"
            found = {"type": "tool_result", "tool_use_id": "call-1", "content": "Rain."}
            said: list[Any] = [
                *ASKED["messages"],
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": [found, {"type": "text", "text": "So?"}]},
            ]
            client.messages.create(**{**ASKED, "messages": said}, tools=[TOOL])

        await using(w, work)
        told = w.chats.ghosts[0].asked[-1]
        assert [m["role"] for m in told] == ["user", "assistant", "tool", "user"]


async def test_errors_are_the_clients_own(tmp_path: Path) -> None:
    async with api_world(tmp_path) as w:
        with pytest.raises(anthropic.AuthenticationError):
            await using(w, lambda client: client.messages.create(**ASKED), key="p2p-wrong")
        with pytest.raises(anthropic.BadRequestError, match="top_k"):
            await using(w, lambda client: client.messages.create(**ASKED, extra_body={"top_k": 5}))
        w.chats.wallet.balance_sat = 0
        with pytest.raises(anthropic.APIStatusError) as caught:
            await using(w, lambda client: client.messages.create(**ASKED))
        assert caught.value.status_code == 402


async def test_a_cut_stream_raises(tmp_path: Path) -> None:
    backend = ScriptedBackend(WORDS, usage=(20, 5), fail_at=1, gate=a_while)
    async with api_world(tmp_path, backend=backend) as w:

        def work(client: anthropic.Anthropic) -> None:
            with client.messages.stream(**ASKED) as stream:
                list(stream.text_stream)

        with pytest.raises(anthropic.APIError):
            await using(w, work)


async def test_tokens_are_counted_here(tmp_path: Path) -> None:
    """An estimate by the meter's rule; no ghost hears of it."""
    async with api_world(tmp_path) as w:

        def work(client: anthropic.Anthropic) -> list[int]:
            asked: list[Any] = [{"role": "user", "content": "What is an onion? " * 100}]
            short = client.messages.count_tokens(model="auto", messages=ASKED["messages"])
            long = client.messages.count_tokens(model="tiny", messages=asked, system="Be brief.")
            bad: Any = [{"role": "user", "content": [{"type": "document"}]}]
            with pytest.raises(anthropic.BadRequestError, match="block"):
                client.messages.count_tokens(model="tiny", messages=bad)
            return [short.input_tokens, long.input_tokens]

        short, long = await using(w, work)
        assert 4 <= short < 40 < 400 <= long < 600
        assert w.chats.ghosts[0].asked == []
