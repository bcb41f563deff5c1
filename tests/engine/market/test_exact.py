"""The exact meter: a bill above what the model's own tokenizer finds is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.exact import ROOM_IN, ROOM_OUT, ExactMeter
from engine.market.meter import Counts
from engine.market.overbilled import Overbilled
from engine.wire import session as wire
from engine.wire.answer import AnswerWriter
from tests.engine.market.test_machines import opened


class Words:
    """A tokenizer that splits at spaces; a template adds three tokens to each message."""

    def count(self, text: str) -> int:
        return len(text.split())

    def count_prompt(self, messages: Sequence[Mapping[str, Any]]) -> int:
        if any(message["role"] == "odd" for message in messages):
            raise ValueError("the template does not take it")
        return sum(3 + self.count(message["content"]) for message in messages)


def question(**more: Any) -> bytes:
    messages = [{"role": "user", "content": "one two three four"}]
    return json.dumps({"messages": messages, **more}).encode()


def test_a_question_is_counted_by_the_template() -> None:
    meter = ExactMeter.of(Words(), question())
    assert meter.tin == 7
    meter.check(Counts(7 + ROOM_IN, 0), b"")
    with pytest.raises(Overbilled, match="input"):
        meter.check(Counts(7 + ROOM_IN + 1, 0), b"")


@pytest.mark.parametrize(
    "body",
    [
        question(tools=[]),
        question(response_format={"type": "json_object"}),
        json.dumps({"input": ["text"]}).encode(),
        json.dumps({"messages": [{"role": "odd", "content": "x"}]}).encode(),
        json.dumps({"messages": [{"role": "user", "content": [{"type": "text"}]}]}).encode(),
        json.dumps({"messages": [{"role": "user", "content": "x", "name": "y"}]}).encode(),
    ],
)
def test_what_cannot_be_counted_is_left_to_the_bytes(body: bytes) -> None:
    meter = ExactMeter.of(Words(), body)
    assert meter.tin is None
    meter.check(Counts(10_000, 0), b"")


@given(st.integers(0, 2_000))
def test_room_for_other_splits_is_small(words: int) -> None:
    meter = ExactMeter(Words(), None)
    answer = b"word " * words
    most = words + ROOM_OUT + -(-words // 16)
    meter.check(Counts(0, most), answer)
    with pytest.raises(Overbilled, match="output"):
        meter.check(Counts(0, most + 1), answer)


def test_reasoning_counts_with_the_text() -> None:
    writer = AnswerWriter()
    answer = writer.reasoning("because " * 20) + writer.text("so " * 10)
    meter = ExactMeter(Words(), None)
    meter.check(Counts(0, 30 + ROOM_OUT, 0, 20), answer.encode())
    with pytest.raises(Overbilled):
        meter.check(Counts(0, 60, 0, 20), answer.encode())


def test_tool_calls_are_left_to_the_bytes() -> None:
    answer = AnswerWriter().call("1", "look", '{"at": "this"}')
    ExactMeter(Words(), None).check(Counts(0, 500), answer.encode())


def test_a_client_with_the_tokenizer_refuses_what_one_without_must_take() -> None:
    """The bytes of the answer allow 41 tokens, its four words do not."""
    lie = wire.Done(1, "stop", 10, 41, 0, 0, 0, b"")
    for exact in (None, ExactMeter(Words(), None)):
        client = opened()
        assert client.answer is not None
        client.answer.exact = exact
        client.receive(wire.Delta(1, 0, 4, "quite long words  indeed, all four of it"))
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the point
            client.receive(lie)
        assert isinstance(caught.value, Overbilled) == (exact is not None)
