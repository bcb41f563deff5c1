"""The answers of one context, stepped by hand: who shares a step with whom, to what effect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.exit.backends.base import Delta, Finish, Usage
from engine.exit.backends.faults import provider_error
from engine.exit.backends.llama_cpp import questions
from engine.exit.backends.llama_cpp.answers import Answers
from engine.exit.backends.llama_cpp.job import ChatJob, JobEvent, Outbox, Paused
from engine.exit.backends.llama_cpp.model import LlamaModel
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from engine.exit.backends.llama_cpp.sizes import Sizes, sizes_of
from tests.helpers.small_model import model_path, needs_model, request

pytestmark = needs_model
QUESTIONS = ("What is an onion?", "Tell me a story.", "Name three birds.", "What is iron?")


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaModel]:
    path = model_path()
    assert path is not None
    loaded = LlamaModel(path, LlamaSettings())
    yield loaded
    loaded.close()


class Bench:
    """Answers without a thread."""

    def __init__(self, model: LlamaModel, **settings: int) -> None:
        self.settings = LlamaSettings(**{"context": 256, **settings})  # type: ignore[arg-type]
        self.sizes: Sizes = sizes_of(self.settings, model.trained_for, on_gpu=False)
        self.outbox: Outbox = []
        self.model = model
        self.now = 0.0
        self.answers = Answers(model, self.settings, self.sizes, self.outbox, now=lambda: self.now)

    def ask(self, *texts: str, tokens: int = 12, session: bytes | None = None) -> ChatJob:
        asked = request(*texts, tokens=tokens)
        job = questions.chat(self.model, self.sizes, asked).job(session, lambda _event: None)
        self.answers.waiting.append(job)
        return job

    def run(self, steps: int = 1000) -> None:
        while self.answers.busy and steps:
            self.answers.admit()
            self.answers.step()
            steps -= 1

    def events(self, job: ChatJob) -> list[JobEvent]:
        return [event for who, event in self.outbox if who is job]

    def text(self, job: ChatJob) -> str:
        return "".join(event.text for event in self.events(job) if isinstance(event, Delta))


@pytest.fixture
def bench(model: LlamaModel) -> Iterator[Bench]:
    made = Bench(model)
    yield made
    made.answers.close(provider_error("overloaded"))


def test_an_answer_does_not_depend_on_its_neighbours(model: LlamaModel, bench: Bench) -> None:
    """Steps of equal shape compute each row alike, whatever stands in the other rows."""
    jobs = [bench.ask(text) for text in QUESTIONS]
    bench.run()
    same = Bench(model)
    copies = [same.ask(QUESTIONS[0]) for _ in QUESTIONS]
    same.run()
    assert {same.text(copy) for copy in copies} == {bench.text(jobs[0])}
    assert len({bench.text(job) for job in jobs}) == len(jobs)
    same.answers.close(provider_error("overloaded"))


def test_every_answer_is_whole(bench: Bench) -> None:
    jobs = [bench.ask(text, tokens=6) for text in QUESTIONS]
    bench.run()
    for job in jobs:
        *words, usage, finish = bench.events(job)
        assert all(isinstance(word, Delta) for word in words)
        assert usage == Usage(job.asked, job.made, 0)
        assert job.made == 6
        assert finish == Finish("length")
        assert job.over


def test_answers_flow_while_a_long_prompt_is_read(bench: Bench) -> None:
    first = bench.ask(QUESTIONS[1], tokens=40)
    bench.run(steps=6)
    made = first.made
    long = bench.ask("Tell me of onions. " * 30, tokens=2)
    steps = 0
    while not long.made:
        bench.run(steps=1)
        steps += 1
    assert steps > 3
    assert first.made == made + steps


def test_more_questions_than_places_wait_in_order(bench: Bench) -> None:
    jobs = [bench.ask(f"{n} {QUESTIONS[0]}", tokens=4) for n in range(6)]
    bench.run(steps=1)
    assert bench.answers.running == jobs[:4]
    assert list(bench.answers.waiting) == jobs[4:]
    bench.run()
    assert [job.made for job in jobs] == [4] * 6


def test_a_cancelled_answer_frees_its_place_at_once(bench: Bench) -> None:
    jobs = [bench.ask(f"{n} {QUESTIONS[1]}", tokens=100) for n in range(5)]
    bench.run(steps=5)
    bench.answers.end(jobs[0])
    bench.answers.end(jobs[0])
    bench.run(steps=1)
    assert bench.answers.running == jobs[1:]
    for job in jobs[1:]:
        bench.answers.end(job)
    assert bench.answers.book.used == 0
    assert not bench.answers.busy


def test_a_session_goes_on_where_it_was(bench: Bench) -> None:
    first = bench.ask(QUESTIONS[0], session=b"one")
    bench.run()
    again = bench.ask(QUESTIONS[0], bench.text(first), "And garlic?", session=b"one")
    fresh = bench.ask(QUESTIONS[0], bench.text(first), "And garlic?")
    other = bench.ask(QUESTIONS[0], bench.text(first), "And garlic?", session=b"two")
    bench.run()
    assert again.cached is not None
    assert again.cached >= first.asked + 8
    assert fresh.cached == other.cached == 0
    assert bench.events(again)[-2] == Usage(again.asked, again.made, again.cached)


def test_an_edited_question_leaves_nothing_of_the_old_one(bench: Bench) -> None:
    bench.ask(QUESTIONS[0], session=b"one")
    bench.run()
    edited = bench.ask("What is an otter?", session=b"one")
    bench.run()
    fresh = bench.ask("What is an otter?")
    bench.run()
    assert edited.cached
    assert edited.cached < edited.asked
    assert bench.events(edited)[-1] == Finish("length")
    assert bench.text(edited) == bench.text(fresh)


def test_conversations_that_do_not_fit_are_dropped_and_read_again(model: LlamaModel) -> None:
    small = Bench(model, parallel=1, kept=80)
    jobs = [small.ask(QUESTIONS[0], session=bytes([n])) for n in range(4)]
    small.run()
    assert small.answers.book.resting == small.sizes.sequences == 2
    again = small.ask(QUESTIONS[0], session=b"\0")
    kept = small.ask(QUESTIONS[0], session=b"\3")
    small.run()
    assert again.cached == 0
    assert kept.cached
    assert small.events(kept)[-1] == Finish("length")
    assert small.text(again) == small.text(jobs[0])
    small.answers.close(provider_error("overloaded"))


def test_nothing_of_a_conversation_stays_for_long(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiped: list[bool] = []
    context = bench.answers._context
    clear = context.clear
    monkeypatch.setattr(context, "clear", lambda: (wiped.append(True), clear()))
    bench.ask(QUESTIONS[0], session=b"one")
    bench.run()
    bench.now += bench.settings.kept_s - 1
    bench.ask(QUESTIONS[0], session=b"two")
    bench.run()
    bench.answers.sweep()
    assert bench.answers.book.resting == 2
    bench.now += 2
    bench.answers.sweep()
    assert bench.answers.book.resting == 1
    bench.answers.wipe()
    assert not wiped
    bench.now += bench.settings.kept_s
    bench.answers.sweep()
    bench.answers.wipe()
    bench.answers.wipe()
    assert bench.answers.book.used == 0
    assert wiped == [True]
    again = bench.ask(QUESTIONS[0], session=b"two")
    bench.run()
    assert again.cached == 0


def test_an_answer_waits_for_its_reader(model: LlamaModel) -> None:
    hurried = Bench(model, read_ahead=4)
    job = hurried.ask(QUESTIONS[1])
    hurried.run()
    assert job.made == 4
    assert isinstance(hurried.events(job)[-1], Paused)
    assert hurried.answers.paused == {job}
    other = hurried.ask(QUESTIONS[0], tokens=2)
    hurried.run()
    assert other.over  # the paused one holds up nobody
    while not job.over:
        job.read = job.sent
        hurried.answers.resume(job)
        hurried.run()
    plain = Bench(model)
    expected = plain.ask(QUESTIONS[1])
    plain.run()
    assert hurried.text(job) == plain.text(expected)
    for bench in (hurried, plain):
        bench.answers.close(provider_error("overloaded"))


def test_a_failed_step_ends_the_answers_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.ask(QUESTIONS[0])

    def broken(_slices: object) -> list[int]:
        raise RuntimeError("llama_decode returned -3")

    with monkeypatch.context() as patch:
        patch.setattr(bench.answers._context, "decode", broken)
        bench.run()
    (failed,) = bench.events(job)
    assert getattr(failed, "error").kind == "overloaded"  # noqa: B009
    again = bench.ask(QUESTIONS[0], tokens=3)
    bench.run()
    assert again.made == 3
