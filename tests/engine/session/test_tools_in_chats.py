"""Calls of tools in a chat: what later questions hold of them and of their results."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.exit.backends.base import BackendEvent, ChatRequest, Delta, Finish, ToolCall
from engine.exit.policy import PLAIN_POLICY
from engine.exit.question_messages import read_messages
from engine.session.prompt import messages_of
from engine.session.tooling import NO_RESULT, BadResult, calls_of, results_of, with_results
from engine.wire.answer import AnswerWriter
from tests.helpers.chat_world import OFFER, ChatWorld, play
from tests.helpers.market_fakes import ScriptedBackend
from wallet.store import ChatMessage

TOOLS = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]
WITH_TOOLS = replace(OFFER, features=("tools",))
CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": '{"tz":"UTC"}'}}
TWO = {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{}"}}


class Calling(ScriptedBackend):
    """A provider whose model asks for the time."""

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[BackendEvent, None]:
        self.requests.append(request)
        await trio.lowlevel.checkpoint()
        yield Delta("Let me see.")
        yield ToolCall("c1", "now", '{"tz":"UTC"}')
        yield Finish("tool_calls")


def answer(text: str = "Let me see.", *calls: str, number: int = 2) -> ChatMessage:
    writer = AnswerWriter()
    raw = writer.text(text) + writer.call("c1", "now", '{"tz":"UTC"}')
    raw += "".join(writer.call(*call.split()) for call in calls)
    return ChatMessage(number, "s", "assistant", text, 0.0, {"state": "done"}, raw=raw)


def question(text: str, number: int = 1, **results: str) -> ChatMessage:
    given = [{"id": call, "content": content} for call, content in results.items()]
    return ChatMessage(number, "s", "user", text, 0.0, {}, raw=with_results(text, given))


def test_calls_and_results_keep_their_form() -> None:
    chat = [question("When?"), answer(), question("", 3, c1="12:00"), answer(number=4)]
    found = messages_of("", [*chat, question("And then?", 5)], {}, tools=True)
    made = {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]}
    assert found == [
        {"role": "user", "content": "When?"},
        made,
        {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
        made,
        {"role": "tool", "tool_call_id": "c1", "content": NO_RESULT},
        {"role": "user", "content": "And then?"},
    ]
    assert read_messages(found, frozenset({"tools"})) == found


def test_a_result_may_come_with_words_and_for_some_calls_only() -> None:
    chat = [question("When?"), answer("", "c2 now {}"), question("Shorter.", 3, c2="noon")]
    assert messages_of("", chat, {}, tools=True)[1:] == [
        {"role": "assistant", "tool_calls": [CALL, TWO]},
        {"role": "tool", "tool_call_id": "c1", "content": NO_RESULT},
        {"role": "tool", "tool_call_id": "c2", "content": "noon"},
        {"role": "user", "content": "Shorter."},
    ]


def test_a_model_without_tools_is_told_in_words() -> None:
    chat = [question("When?"), answer(), question("Shorter.", 3, c1="12:00")]
    assert messages_of("", chat, {})[1:] == [
        {"role": "assistant", "content": "Let me see."},
        {"role": "user", "content": "Result: 12:00\n\nShorter."},
    ]
    # The answer was left out because the context is full: a result without its call has no form.
    assert messages_of("", chat[2:], {}, tools=True) == [
        {"role": "user", "content": "Result: 12:00\n\nShorter."}
    ]


def test_what_no_provider_takes_back_is_sent_as_text() -> None:
    writer = AnswerWriter()
    raw = "Hm." + writer.call("", "now", "{}") + writer.call("c", "no such name", "{}")
    assert calls_of(replace(answer(), raw=raw)) == []
    assert calls_of(question("a\x1ec{}")) == []
    broken = replace(question("x"), raw="x\x1eo{\x1eo[1]\x1eo{}\x1ezq")
    assert results_of(broken) == {}


def test_a_chat_with_a_tool_from_end_to_end(tmp_path: Path) -> None:
    async def act(w: ChatWorld) -> None:
        options: dict[str, Any] = {"params": {"tools": TOOLS}}
        await w.ask()  # from here on it is known what the ghost offers
        first = await w.call("ask", text="When?", **options)
        assert "result" in await w.end_of(first["ask_id"])
        chat = first["session_id"]
        for wrong in ("c9",), ("c1", "c1"):
            results = [{"id": call, "content": "?"} for call in wrong]
            with pytest.raises(BadResult):
                await w.call("ask", text="", session_id=chat, results=results)
        results = [{"id": "c1", "content": "12:00"}]
        done = await w.ask("", session_id=chat, results=results, **options)
        assert done["result"]
        asked = w.ghosts[0].asked[-1]
        assert [message["role"] for message in asked] == ["user", "assistant", "tool"]
        assert asked[1]["tool_calls"] == [CALL]
        assert asked[2]["content"] == "12:00"
        shown = await w.call("sessions.messages", session_id=chat)
        part = shown[2]["parts"][-1]
        assert (part["kind"], part["id"], part["text"]) == ("result", "c1", "12:00")
        copied = await w.call("sessions.export", session_id=chat)
        assert "12:00" in str(copied)

    policy = replace(PLAIN_POLICY, tools=True)
    play(tmp_path, act, backend=Calling(), models=(WITH_TOOLS,), policy=policy)
