"""What a person types as an option's value can always be sent on."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui.app.chat_options import options_text, read_options
from tui.option_values import read_value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.2", 0.2),
        ("true", True),
        ('["a"]', ["a"]),
        ("plain", "plain"),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e400", "1e400"),
        ('"\\ud800"', '"\\ud800"'),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_json_is_taken_as_json_and_all_else_as_text(text: str, value: object) -> None:
    assert read_value(text) == value


def test_a_text_of_too_many_brackets_is_a_text() -> None:
    assert read_value("[" * 100_000) == "[" * 100_000


@given(st.text() | JSON.map(json.dumps))
@example("[NaN]")
@example('{"a": 1e999}')
def test_whatever_is_typed_reaches_the_node_as_it_is(text: str) -> None:
    found = read_value(text)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
        JSON.filter(lambda value: value == read_value(json.dumps(value))),
        max_size=3,
    )
)
def test_options_that_are_shown_are_read_again(params: dict[str, object]) -> None:
    assert read_options(options_text(params)) == params


def test_nothing_that_is_no_number_is_one() -> None:
    for text in ("NaN", "Infinity", "-Infinity", "1e309"):
        assert not isinstance(read_value(text), float), text
    assert math.isfinite(read_value("1e308"))
