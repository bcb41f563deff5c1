"""Held-back text: whole characters and no part of a stop string, however the bytes come."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.exit.backends.llama_cpp.text import AnswerText


def said(pieces: list[bytes], stops: tuple[str, ...] = ()) -> tuple[str, bool]:
    answer = AnswerText(stops)
    shown = "".join(answer.feed(piece) for piece in pieces)
    return shown + answer.end(), answer.stopped


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(raw), *(place % (len(raw) + 1) for place in places)})
    return [raw[a:b] for a, b in pairwise(edges)]


@given(st.text(), st.lists(st.integers(0, 1000)))
def test_any_split_gives_the_text_back(text: str, places: list[int]) -> None:
    raw = text.encode()
    assert said(cut(raw, places)) == (text, False)


@given(st.binary(), st.lists(st.integers(0, 1000)))
def test_broken_bytes_never_raise(raw: bytes, places: list[int]) -> None:
    shown, _ = said(cut(raw, places))
    assert shown == raw.decode("utf-8", "replace")


@given(
    st.text("abß", max_size=20),
    st.lists(st.text("abß", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 100)),
)
def test_the_earliest_stop_ends_the_text(text: str, stops: list[str], places: list[int]) -> None:
    shown, stopped = said(cut(text.encode(), places), tuple(stops))
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    assert stopped == bool(found)
    if not found:
        assert shown == text
    else:  # how soon a stop is seen depends on the split; nothing of a complete one is ever shown
        assert text.startswith(shown)
        assert not any(stop in shown for stop in stops)


def test_what_may_become_a_stop_waits() -> None:
    answer = AnswerText(("STOP",))
    assert answer.feed(b"one S") == "one "
    assert answer.feed(b"T") == ""
    assert answer.feed(b"ART") == "START"
    assert answer.feed(b" STOP and more") == " "
    assert answer.stopped
    assert answer.feed(b"more") == ""
    assert answer.end() == ""


def test_half_a_character_waits() -> None:
    answer = AnswerText()
    first, second = "é".encode()[:1], "é".encode()[1:]
    assert answer.feed(b"caf" + first) == "caf"
    assert answer.feed(second) == "é"
