"""The backend over the real library and a real model: what a ghost sees of it."""

from __future__ import annotations

import json
import math
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from engine.errors import ConfigError, ProviderError
from engine.exit.backends.base import Embedding, EmbedRequest, Finish, Usage
from engine.exit.backends.llama_cpp.backend import LlamaCppBackend
from engine.exit.backends.llama_cpp.settings import LlamaSettings
from engine.exit.backends.llama_cpp.tokenizer import Tokenizer
from tests.helpers.small_model import Said, answer, model_path, needs_model, request, served
from tui.demo.provider_server import MODEL_SHA256

pytestmark = [pytest.mark.trio, needs_model]
TWO = LlamaSettings(context=256, parallel=2)
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


async def test_four_sessions_at_once() -> None:
    async with served() as backend:
        found: dict[str, Said] = {}

        async def ask(text: str) -> None:
            found[text] = await answer(backend, request(text, session=text.encode()))

        texts = [f"Name {n} birds." for n in ("two", "three", "four", "five", "six", "seven")]
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for text in texts:
                    nursery.start_soon(ask, text)
        assert set(found) == set(texts)
        for said in found.values():
            assert said.text.strip()
            assert said.reason in ("stop", "length")
            assert 0 < said.usage.tokens_out <= 24
            assert await backend.count_tokens(said.text) <= said.usage.tokens_out
        assert backend.stats.running == backend.stats.waiting == 0
        assert backend.stats.resting == len(texts)


async def test_the_same_seed_says_the_same() -> None:
    async with served(TWO) as backend:
        said = [
            await answer(backend, request("Tell a story.", temperature=1.5, seed=seed))
            for seed in (5, 5, 6)
        ]
        assert said[0].text == said[1].text != said[2].text


async def test_the_loop_stays_free_while_the_model_computes() -> None:
    """Between the steps of an answer the loop goes round many times; it is never computed in."""
    async with served(TWO) as backend:
        rounds = 0

        async def go_round() -> None:
            nonlocal rounds
            while True:
                await trio.sleep(0)
                rounds += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_round)
            before = backend.stats.steps
            await answer(backend, request("Tell a story."))
            nursery.cancel_scope.cancel()
        assert rounds > 10 * (backend.stats.steps - before)


async def test_closing_the_answer_frees_its_place() -> None:
    async with served(TWO) as backend:
        with trio.fail_after(60):
            async with aclosing(backend.stream_chat(request("A story!", tokens=200))) as events:
                await anext(events)
                assert backend.stats.running == 1
            while backend.stats.running:
                await trio.sleep(0.001)
        assert backend.stats.tokens_out < 100
        assert backend.stats.cells_used == 0
        assert (await answer(backend, request("Hi", tokens=2))).usage.tokens_out <= 2


async def test_the_second_question_reads_only_what_is_new() -> None:
    async with served() as backend:
        first = await answer(backend, request("What is an onion? " * 10, session=b"s"))
        turns = ("What is an onion? " * 10, first.text, "And garlic?")
        second = await answer(backend, request(*turns, session=b"s"))
        other = await answer(backend, request(*turns, session=b"other"))
        assert second.usage.cached >= first.usage.tokens_in
        assert second.usage.tokens_in == other.usage.tokens_in
        assert other.usage.cached == 0
        assert second.text == other.text


async def test_too_long_a_conversation_is_refused_with_its_numbers() -> None:
    async with served(TWO) as backend:
        long = request("onion " * 300)
        with pytest.raises(ProviderError, match=r"has \d{3} tokens; this model takes 256") as found:
            await backend.examine(long)
        assert found.value.kind == "too_long"
        with pytest.raises(ProviderError, match="takes 256"):
            await answer(backend, long)
        assert backend.stats.tokens_in == 0
        tokens = await backend.examine(request("onion " * 200, tokens=500))
        said = await answer(backend, request("onion " * 200, tokens=500))
        assert said.usage.tokens_in == tokens
        assert said.usage.tokens_in + said.usage.tokens_out <= 256


async def test_a_full_queue_refuses() -> None:
    async with served(replace(TWO, parallel=1, queue=1)) as backend:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(answer, backend, request("A story!", tokens=100))
            while backend.stats.waiting < 1:
                await trio.sleep(0.001)
            with pytest.raises(ProviderError) as found:
                await backend.examine(request("Hi"))
            assert (found.value.kind, found.value.retry_after_s) == ("rate_limit", 10.0)
            with pytest.raises(ProviderError):
                await answer(backend, request("Hi"))
            nursery.cancel_scope.cancel()
        await answer(backend, request("Hi", tokens=1))


async def test_json_and_schemas_and_stops() -> None:
    async with served() as backend:
        any_json = {"type": "json_object"}
        said = await answer(
            backend, request("A person as JSON", tokens=80, response_format=any_json)
        )
        if said.reason == "stop":
            assert isinstance(json.loads(said.text), dict)
        assert said.text.lstrip().startswith("{")
        schema = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}
        said = await answer(
            backend, request("Describe a person", tokens=80, temperature=1, response_format=schema)
        )
        assert said.reason == "stop"
        assert set(json.loads(said.text)) == {"name", "age"}
        plain = await answer(backend, request("Name three birds."))
        word = plain.text.split()[3]
        stopped = await answer(backend, request("Name three birds.", stop=[word]))
        assert stopped.text == plain.text[: plain.text.index(word)]
        assert stopped.reason == "stop"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": "hot"}, "temperature is not a number"),
        ({"seed": 1.5}, "seed"),
        ({"response_format": {"type": "xml"}}, "response format"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"$ref": "http://x"}},
                }
            },
            "outside",
        ),
    ],
)
async def test_options_that_make_no_sense(options: dict[str, object], words: str) -> None:
    async with served(TWO) as backend:
        with pytest.raises(ProviderError, match=words) as found:
            await backend.examine(request("Hi", **options))
        assert found.value.kind == "bad_request"


async def test_embeddings() -> None:
    async with served(TWO) as backend:
        texts = [
            "An onion is a vegetable.",
            "Garlic is a vegetable.",
            "def f(x): return x ** 2",
            "",
        ]
        events = [event async for event in backend.embed(EmbedRequest("small", texts))]
        vectors = [event.vector for event in events if isinstance(event, Embedding)]
        assert [e.index for e in events if isinstance(e, Embedding)] == [0, 1, 2, 3]
        assert all(math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-6) for vector in vectors)
        near, far = (sum(map(float.__mul__, vectors[0], vectors[n])) for n in (1, 2))
        assert near > far
        *_, usage, finish = events
        assert usage == Usage(await backend.examine(EmbedRequest("small", texts)), 0)
        assert finish == Finish("stop")
        long = EmbedRequest("small", ["onion " * 400])
        with pytest.raises(ProviderError, match=r"longest text has 40\d tokens"):
            await backend.examine(long)
        again = [e async for e in backend.embed(EmbedRequest("small", texts[:1] * 2))]
        assert isinstance(again[0], Embedding)
        assert again[0].vector == vectors[0]


async def test_it_loads_when_first_asked_and_again_after_unloading() -> None:
    path = model_path()
    assert path is not None
    backend = LlamaCppBackend(path, TWO)
    assert backend.features("x") == {"json", "embeddings"}
    first = await answer(backend, request("Hi", tokens=3))
    await backend.unload()
    await backend.unload()
    assert repr(backend).endswith("loaded=False)")
    assert (await answer(backend, request("Hi", tokens=3))).text == first.text
    await backend.aclose()


async def test_an_idle_node_forgets() -> None:
    async with served(replace(TWO, kept_s=0.2)) as backend:
        await answer(backend, request("Hi", tokens=3, session=b"s"))
        with trio.fail_after(60):
            while backend.stats.resting:
                await trio.sleep(0.01)
        assert (await answer(backend, request("Hi", tokens=3, session=b"s"))).usage.cached == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_fault_in_the_thread_ends_its_answers_and_not_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served(TWO) as backend:

        def fault(_self: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr("engine.exit.backends.llama_cpp.answers.Answers.step", fault)
            with pytest.raises(ProviderError) as found, trio.fail_after(60):
                await answer(backend, request("Hi"))
        assert found.value.kind == "overloaded"
        with trio.fail_after(60):
            assert (await answer(backend, request("Hi", tokens=3))).usage.tokens_out <= 3


async def test_unloading_ends_the_answers() -> None:
    async with served(TWO) as backend:
        events = backend.stream_chat(request("A story!", tokens=200))
        await anext(events)
        await backend.unload()
        with pytest.raises(ProviderError) as found:
            async for _ in events:
                pass
        assert found.value.kind == "overloaded"


async def test_files_that_are_not_the_model(tmp_path: Path) -> None:
    path = model_path()
    assert path is not None
    other = LlamaCppBackend(path, LlamaSettings(sha256="00" * 32))
    with pytest.raises(ConfigError, match=MODEL_SHA256):
        await other.load()
    with pytest.raises(ProviderError):
        await answer(other, request("Hi"))
    known = LlamaCppBackend(path, LlamaSettings(sha256=MODEL_SHA256), side_folder=tmp_path)
    assert (await known.identify()).sha256.hex() == MODEL_SHA256
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(ConfigError, match=r"cut\.gguf is damaged or incomplete"):
        await LlamaCppBackend(cut).load()


async def test_settings_that_no_machine_can_hold() -> None:
    path = model_path()
    assert path is not None
    with pytest.raises(ConfigError, match="GiB of memory are free"):
        await LlamaCppBackend(path, LlamaSettings(context=2048, kept=2_000_000_000)).load()
    with pytest.raises(ConfigError, match="out of range"):
        await LlamaCppBackend(path, LlamaSettings(context=8)).load()


async def test_a_client_counts_as_the_node_does() -> None:
    path = model_path()
    assert path is not None
    tokenizer = Tokenizer(path)
    async with served(TWO) as backend:
        asked = request("What is an onion?", "A vegetable.", "Größe? 🧅")
        assert tokenizer.count_prompt(asked.messages) == await backend.examine(asked)
        for text in ("An onion.", "", "Größe 🧅"):
            assert tokenizer.count(text) == await backend.count_tokens(text)
    tokenizer.close()
    tokenizer.close()
