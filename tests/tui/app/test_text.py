"""Words and numbers for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.app import text


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "unknown"),
        (0, "0 sat"),
        (1, "0.001 sat"),
        (412, "0.412 sat"),
        (1500, "1.5 sat"),
        (4_096_000, "4,096 sat"),
        (1_234_567, "1,234 sat"),
    ],
)
def test_amounts(amount: int | None, words: str) -> None:
    assert text.msat(amount) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (-3, "0 s"),
        (61, "61 s"),
        (3599, "60 min"),
        (90_000, "25 h"),
        (1_040_000, "12 d"),
    ],
)
def test_ages(seconds: float | None, words: str) -> None:
    assert text.age(seconds) == words


def test_a_strangers_text_cannot_drive_the_terminal() -> None:
    evil = "a\x1b]52;c;ZXZpbA==\x07b\x9b31mc\u202ed\r\ne\x00"
    assert text.clean(evil) == "a]52;c;ZXZpbA==b31mcd\ne"


@given(st.text())
def test_clean_leaves_no_control_character(value: str) -> None:
    cleaned = text.clean(value)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in cleaned)
    assert not any(0x7F <= ord(c) <= 0x9F for c in cleaned)
    assert text.clean(cleaned) == cleaned


@given(st.text(alphabet="ab 漢字é\n\t-"), st.integers(4, 30))
def test_wrapped_lines_fit(value: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in text.wrap(value, width))


@given(st.lists(st.floats(0, 1e6), max_size=80), st.integers(1, 40))
def test_spark_has_one_mark_for_each_value(values: list[float], width: int) -> None:
    assert len(text.spark(values, width)) == min(len(values), width)
