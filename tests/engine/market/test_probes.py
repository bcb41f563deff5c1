"""Test questions: fresh, with answers that hold, at times that tell nothing of each other."""

from __future__ import annotations

import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market import probes
from engine.market.probes import DAY_S, Probe, draw_canary, draw_probe, is_right, wait_s


@given(st.integers(0, 2**32))
def test_every_probe_knows_its_answer(seed: int) -> None:
    probe = draw_probe(Random(seed))
    assert probe.answers
    assert is_right(probe, f"I think it is {probe.answers[0]}.")
    assert is_right(probe, f"**{probe.answers[0]}**")
    assert not is_right(probe, "I cannot say.")
    assert probe.canary in probe.text
    assert probe.text not in repr(probe)


@given(st.integers(0, 2**32))
def test_repeating_the_question_is_no_answer(seed: int) -> None:
    """But where the answer is one of the words to choose from."""
    probe = draw_probe(Random(seed))
    if "alphabet" not in probe.text and "day of the week" not in probe.text:
        assert not is_right(probe, probe.text)


def test_no_two_look_alike() -> None:
    rng = Random(1)
    texts = [draw_probe(rng).text for _ in range(5_000)]
    assert len(set(texts)) > 4_990
    openings = {" ".join(text.split()[:3]) for text in texts}
    assert len(openings) > 200


def test_canaries_are_rare_words() -> None:
    rng = Random(2)
    words = {draw_canary(rng) for _ in range(20_000)}
    assert len(words) > 19_900
    assert all(word.isalpha() and 6 < len(word) < 20 for word in words)
    share = statistics.mean(bool(draw_probe(rng).canary) for _ in range(2_000))
    assert 0.25 < share < 0.35


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("1,234", True),
        ("That is 1 234 euros.", True),
        ("1234.00", True),
        ("= 1234", True),
        ("1235", False),
        ("12345", False),
        ("1", False),
        ("", False),
    ],
)
def test_numbers_are_read_as_people_write_them(answer: str, right: bool) -> None:
    assert is_right(Probe("?", ("1234",)), answer) is right


def test_times_and_words_are_read() -> None:
    assert is_right(Probe("?", ("9:05",)), "At 09:05.")
    assert not is_right(Probe("?", ("9:05",)), "At 10:05.")
    assert is_right(Probe("?", ("Tuesday",)), "it will be a tuesday")
    assert not is_right(Probe("?", ("Tuesday",)), "it will be Tuesdayish")


def test_the_times_are_memoryless_and_within_the_budget() -> None:
    rng = Random(3)
    waits = [wait_s(rng, 10_000, 2_000) for _ in range(20_000)]
    mean = statistics.mean(waits)
    assert mean == pytest.approx(DAY_S / 5, rel=0.03)
    assert statistics.stdev(waits) == pytest.approx(mean, rel=0.05)
    late = [wait - mean for wait in waits if wait > mean]
    assert statistics.mean(late) == pytest.approx(mean, rel=0.05), "waiting long says nothing"
    rich = statistics.mean(wait_s(rng, 10**9, 2_000) for _ in range(5_000))
    assert rich == pytest.approx(DAY_S / probes.MOST_A_DAY, rel=0.05)
