"""The GPU node's measurement: its arithmetic, and that nobody is asked the same twice."""

from __future__ import annotations

from bench.gpu import median_rate, ratio
from bench.gpu_tasks import Done, Task


def test_ratios_are_taken_within_a_round() -> None:
    # The machine was ten times slower in the second round: that must not show.
    ours = [Done(10, 1.0, 0.5), Done(10, 10.0, 0.5), Done(10, 1.0, 0.5)]
    theirs = [Done(10, 2.0, 1.0), Done(10, 20.0, 1.0), Done(10, 2.0, 1.0)]
    assert ratio(ours, theirs) == {"clock": 2.0, "processor": 2.0}
    assert median_rate(ours) == 10.0


def test_every_prompt_is_new_from_its_first_words_on() -> None:
    tasks = [Task(number, 4, 8) for number in range(50)]
    first = [text.partition(":")[0] for task in tasks for text in task.questions()]
    assert len(set(first)) == len(first) == 200
    assert Task.read(tasks[7].line()) == tasks[7]
