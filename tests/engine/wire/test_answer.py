"""Parts of an answer: written, cut anywhere, read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.answer import (
    CALL,
    EMBEDDING,
    REASONING,
    REFUSAL,
    TEXT,
    AnswerReader,
    AnswerWriter,
    Call,
    Part,
    Text,
    Unreadable,
    Vector,
    joined,
    plain_text,
    read_answer,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol-session.md"
WORDS = st.text(max_size=12)
FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=4)
PARTS = st.one_of(
    st.builds(Text, st.sampled_from([TEXT, REASONING, REFUSAL]), WORDS),
    st.builds(Call, WORDS, WORDS, WORDS),
    st.builds(Vector, st.integers(0, 2**32 - 1), FLOATS.map(tuple)),
)


def write(parts: list[Part]) -> list[str]:
    writer = AnswerWriter()
    runs = {TEXT: writer.text, REASONING: writer.reasoning, REFUSAL: writer.refusal}
    pieces: list[str] = []
    for part in parts:
        match part:
            case Text(kind, text):
                pieces.append(runs[kind](text))
            case Call(call_id, name, arguments):
                pieces.append(writer.call(call_id, name, arguments))
            case Vector(index, values):
                pieces.append(writer.embedding(index, values))
    return pieces


def sliced(text: str, sizes: list[int]) -> list[Part]:
    """`text` read in pieces of these sizes, over and over."""
    reader, parts, start, turn = AnswerReader(), [], 0, 0
    while start < len(text):
        size = sizes[turn % len(sizes)]
        parts += reader.feed(text[start : start + size])
        start, turn = start + size, turn + 1
    return joined([*parts, *reader.end()])


@given(st.lists(PARTS, max_size=8), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_what_is_written_is_read_back_in_any_pieces(parts: list[Part], sizes: list[int]) -> None:
    answer = "".join(write(parts))
    expected = joined(
        Text(part.kind, part.text.replace("\x1e", "\ufffd")) if isinstance(part, Text) else part
        for part in parts
        if not isinstance(part, Text) or part.text
    )
    assert read_answer(answer) == expected
    assert sliced(answer, sizes) == expected
    shown = (part.text for part in expected if isinstance(part, Text) and part.kind != REASONING)
    assert plain_text(answer) == "".join(shown)


@given(st.text(alphabet=st.sampled_from('\x1etrcefz{}":,ix0'), max_size=60), st.integers(1, 5))
def test_any_text_reads_the_same_in_any_pieces(answer: str, size: int) -> None:
    assert sliced(answer, [size]) == read_answer(answer)


@given(st.text(max_size=60).filter(lambda text: "\x1e" not in text))
def test_a_plain_answer_is_its_own_text(answer: str) -> None:
    assert plain_text(answer) == answer == "".join(write([Text(TEXT, answer)]))


def test_text_comes_out_before_its_part_is_over() -> None:
    reader = AnswerReader()
    assert reader.feed("He") == [Text(TEXT, "He")]
    assert reader.feed("\x1e") == []
    assert reader.feed("rhm") == [Text(REASONING, "hm")]


def test_a_later_kind_is_skipped_with_its_body() -> None:
    assert read_answer("a\x1ezSECRET\x1etb") == [Text(TEXT, "ab")]
    assert plain_text("a\x1ezSECRET\x1etb\x1ef no") == "ab no"


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ('\x1ec{"id":"1","name":"f","arguments":"{}"}', Call("1", "f", "{}")),
        ('\x1ec{"id":1,"name":"f","arguments":"{}"}', Unreadable(CALL)),
        ('\x1ec{"id":"1","name":"f"}', Unreadable(CALL)),
        ("\x1ec" + "[" * 100_000, Unreadable(CALL)),
        ('\x1ee{"index":0,"embedding":"AACAPw=="}', Vector(0, (1.0,))),
        ('\x1ee{"index":0,"embedding":"AACA"}', Unreadable(EMBEDDING)),
        ('\x1ee{"index":0,"embedding":"!"}', Unreadable(EMBEDDING)),
        ('\x1ee{"index":true,"embedding":""}', Unreadable(EMBEDDING)),
        ('\x1ee{"index":4294967296,"embedding":""}', Unreadable(EMBEDDING)),
        ("\x1ee", Unreadable(EMBEDDING)),
    ],
)
def test_parts_of_json(answer: str, part: Part) -> None:
    assert read_answer(answer) == [part]
    assert "{}" not in repr(part)


def test_known_bytes() -> None:
    """The example of docs/protocol-session.md."""
    parts: list[Part] = [
        Text(TEXT, "Hi"),
        Text(REASONING, "hm\x1e"),
        Call("c1", "now", '{"tz":"UTC"}'),
        Text(TEXT, "."),
        Vector(0, (1.0, -2.0)),
    ]
    answer = "".join(write(parts))
    example = answer.replace("\ufffd", "").replace("\x1e", "\u241e")
    assert f"    {example}\n" in DOCUMENT.read_text("utf-8")
    assert answer.encode() == (
        b"Hi\x1erhm\xef\xbf\xbd"
        b'\x1ec{"id":"c1","name":"now","arguments":"{\\"tz\\":\\"UTC\\"}"}'
        b'\x1et.\x1ee{"index":0,"embedding":"AACAPwAAAMA="}'
    )


def test_numbers_and_characters_that_cannot_be_sent() -> None:
    with pytest.raises(WireError):
        AnswerWriter().embedding(0, [1e300])
    assert AnswerWriter().text("a\ud800") == "a?"
