"""What clients send back of earlier answers, and which questions can never be asked."""

from __future__ import annotations

from typing import Any

import pytest

from engine.control.protocol.sessions import Model
from engine.gateway.bodies import check_form, read_chat
from engine.gateway.catalogue import catalogue, listed, not_offered
from engine.gateway.messages_body import read_messages
from engine.gateway.problems import Problem, problem_of
from engine.gateway.responses_body import read_responses
from engine.session.raw_body import features_of
from wallet.errors import StoreFull

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}
ASKED = {"role": "user", "content": "What is an onion?"}


def said(*messages: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    wanted = read_chat({"model": "auto", "messages": list(messages), **more})
    check_form(wanted)
    found: list[dict[str, Any]] = wanted.body["messages"]
    return found


def test_an_answer_can_be_sent_back_as_it_came() -> None:
    """All fields that OpenAI's client has on a message, as its objects are written."""
    answer = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "reasoning_content": "Let me see.",
        "tool_calls": [{**CALL, "index": 0}],
    }
    found = {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "Rain."}
    told = said(ASKED, answer, found, tools=[TOOL])
    assert told[1] == {"role": "assistant", "tool_calls": [CALL]}
    assert told[2] == {"role": "tool", "tool_call_id": "c1", "content": "Rain."}


def test_an_answer_without_a_word_is_an_empty_one() -> None:
    told = said(ASKED, {"role": "assistant", "content": None, "tool_calls": []}, ASKED)
    assert told[1] == {"role": "assistant", "content": ""}


def test_names_and_notes_stay_here() -> None:
    part = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    assert said({"role": "user", "name": "Ada", "content": [part]}) == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    ]
    tool = {"type": "function", "function": {**TOOL["function"], "strict": None}}
    assert read_chat({"model": "a", "messages": [ASKED], "tools": [tool]}).body["tools"] == [TOOL]


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ({"role": "wizard", "content": "x"}, "role"),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "parts"),
        ({"role": "user", "content": "x", "surprise": 1}, "content"),
        ({"role": "tool", "tool_call_id": "c9", "content": "x"}, "no earlier call"),
    ],
)
def test_what_every_ghost_would_refuse_is_refused_here(message: dict[str, Any], word: str) -> None:
    with pytest.raises(Problem, match=word) as caught:
        said(ASKED, message)
    assert (caught.value.status, caught.value.kept) == (400, "Nothing was sent.")


def test_nought_and_false_are_values() -> None:
    """A temperature of 0 is what programs ask for that want the same answer again."""
    options = {"temperature": 0, "seed": 0, "top_p": 0.0, "presence_penalty": 0}
    asked = {"messages": [ASKED], "tools": [TOOL], "parallel_tool_calls": False, **options}
    wanted = read_chat({"model": "a", "stop": [], "response_format": {}, "n": None, **asked})
    check_form(wanted)
    assert wanted.body == asked
    for again in (
        read_messages({"model": "a", "messages": [ASKED], **options, "seed": None}),
        read_responses({"model": "a", "input": "x", **options, "seed": None}),
    ):
        assert (again.body["temperature"], again.body["top_p"]) == (0, 0)


def test_what_agents_set_by_habit_is_taken_and_stays_here() -> None:
    asked = {"model": "a", "messages": [ASKED]}
    edits = {"edits": [{"type": "clear_thinking_20251015"}]}
    wanted = read_messages({**asked, "context_management": edits, "metadata": {"user_id": "u"}})
    assert wanted.body == {"messages": [ASKED]}
    assert read_chat({**asked, "modalities": ["text"]}).body == {"messages": [ASKED]}
    with pytest.raises(Problem, match="modalities"):
        read_chat({**asked, "modalities": ["text", "audio"]})
    with pytest.raises(Problem, match="one answer"):
        read_chat({**asked, "n": 2})


def test_a_disk_that_cannot_be_written_may_pass() -> None:
    problem = problem_of(StoreFull("The disk is full.", hint="Free some space."))
    assert (problem.status, problem.code) == (503, "store_full")
    assert "Free some space" in problem.as_body()["error"]["message"]


def test_what_a_question_needs_of_a_model() -> None:
    body = {"messages": [ASKED], "response_format": {"type": "json_object"}}
    assert features_of(body) == {"json"}
    assert features_of({**body, "response_format": {"type": "text"}}) == frozenset()
    assert features_of({"messages": [ASKED], "reasoning_effort": "low"}) == {"reasoning"}


def test_what_nobody_offers() -> None:
    offers = [Model(model="small", features=["json"]), Model(model="large", features=["tools"])]
    assert not_offered(offers, "small", frozenset({"json"})) is None
    assert not_offered(offers, None, frozenset({"tools"})) is None
    unknown = not_offered(offers, "gpt", frozenset())
    assert unknown is not None
    assert (unknown.status, unknown.code) == (404, "model_not_found")
    lacking = not_offered(offers, "small", frozenset({"json", "tools"}))
    assert lacking is not None
    assert (lacking.status, lacking.message) == (400, "No ghost offers small with tools.")
    assert not_offered([], "gpt", frozenset()) is None, "nothing is known yet: that is a 503"


def test_models_are_listed_for_both_clients() -> None:
    told = listed(catalogue([Model(model="b"), Model(model="a")]))
    assert (told["first_id"], told["last_id"], told["has_more"]) == ("a", "b", False)
    assert (told["data"][0]["object"], told["data"][0]["type"]) == ("model", "model")
    assert listed([])["first_id"] is None


def test_anthropics_output_config_is_passed_on() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    asked = {"model": "a", "max_tokens": 5, "messages": [ASKED]}
    config = {"effort": "max", "format": {"type": "json_schema", "schema": schema}}
    wanted = read_messages({**asked, "output_config": config})
    check_form(wanted)
    assert wanted.body["reasoning_effort"] == "xhigh"
    assert wanted.body["response_format"]["json_schema"]["schema"] == schema
    for bad in ({"format": {"type": "text"}}, {"surprise": 1}, "x"):
        with pytest.raises(Problem, match="output_config"):
            read_messages({**asked, "output_config": bad})


def test_threads_are_refused_in_the_words_that_the_client_knows() -> None:
    with pytest.raises(Problem) as caught:
        read_messages({"model": "a", "messages": [ASKED], "thread": {"type": "create"}})
    error = caught.value.as_body()["error"]
    assert error["details"]["error_code"] == "thread_unsupported_request"
