"""What does not end well, through both clients: refusals, an empty wallet, no ghost left, a client
that goes away in the middle; and fifty questions at once. The money is counted after each."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest

from tests.helpers.demo_api import GHOSTS, DemoApi
from tests.helpers.processes import wait_until
from tests.helpers.provider_able import MODEL, ONION

HI: list[Any] = [{"role": "user", "content": "What is an onion?"}]
LONG: list[Any] = [{"role": "user", "content": "count to 400"}]
MANY = 50
PREPAID = 5
"""More than a session that was paid ahead can answer."""
KEYS = ("openai", "anthropic", "tools")


@pytest.fixture
def openai_client(demo: DemoApi) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=demo.url, api_key=demo.key("openai"), timeout=120) as made:
        yield made


@pytest.fixture
def anthropic_client(demo: DemoApi) -> Iterator[anthropic.Anthropic]:
    url = demo.url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key=demo.key("anthropic"), timeout=120) as made:
        yield made


def test_refusals_are_openais_own(openai_client: openai.OpenAI) -> None:
    def ask(client: openai.OpenAI = openai_client, **more: Any) -> None:
        client.chat.completions.create(**{"model": MODEL, "messages": HI, **more})

    with pytest.raises(openai.AuthenticationError, match="peer2prompt api key new"):
        ask(openai_client.with_options(api_key="p2p-wrong"))
    with pytest.raises(openai.NotFoundError, match="peer2prompt models") as unknown:
        ask(model="gpt-4o")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        openai_client.embeddings.create(model="gpt-4o", input="x")
    with pytest.raises(openai.BadRequestError, match="logit_bias"):
        ask(logit_bias={"5": 1})
    with pytest.raises(openai.BadRequestError, match="reasoning"):
        ask(reasoning_effort="high")


def test_refusals_are_anthropics_own(anthropic_client: anthropic.Anthropic) -> None:
    def ask(client: anthropic.Anthropic = anthropic_client, **more: Any) -> None:
        client.messages.create(**{"model": MODEL, "max_tokens": 5, "messages": HI, **more})

    with pytest.raises(anthropic.AuthenticationError, match="peer2prompt api key new"):
        ask(anthropic_client.with_options(api_key="p2p-wrong"))
    with pytest.raises(anthropic.NotFoundError, match="peer2prompt models"):
        ask(model="claude-opus")
    with pytest.raises(anthropic.BadRequestError, match="top_k"):
        ask(extra_body={"top_k": 5})


@contextlib.contextmanager
def empty_wallet(demo: DemoApi) -> Iterator[None]:
    """All ecash is taken out, and put back."""
    demo.settle()
    token = demo.call("wallet.send", amount_sat=demo.purse_sat())["token"]
    try:
        yield
    finally:
        demo.call("wallet.receive", token=token)


def test_an_empty_wallet(
    demo: DemoApi, openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    """A session that was prepaid before may answer a question or two."""
    dear: list[Any] = [{"role": "user", "content": "repeat: " + "onion " * 100}]

    def ask_openai() -> None:
        for _ in range(PREPAID):
            openai_client.chat.completions.create(model=MODEL, messages=dear)

    def ask_anthropic() -> None:
        for _ in range(PREPAID):
            anthropic_client.messages.create(model=MODEL, max_tokens=200, messages=dear)

    with empty_wallet(demo):
        with pytest.raises(openai.APIStatusError, match="peer2prompt wallet fund") as caught:
            ask_openai()
        assert caught.value.status_code == 402
        with pytest.raises(anthropic.APIStatusError, match="peer2prompt wallet fund") as told:
            ask_anthropic()
        assert told.value.status_code == 402
    answer = openai_client.chat.completions.create(model=MODEL, messages=HI)
    assert answer.choices[0].message.content == ONION
    demo.check_money()


def test_no_ghost_is_left_for_one_program_more(demo: DemoApi, openai_client: openai.OpenAI) -> None:
    demo.settle()

    def ask(session: str) -> str:
        told = {"X-Peer2Prompt-Session": session}
        answer = openai_client.chat.completions.create(model=MODEL, messages=HI, extra_headers=told)
        assert answer.model_extra is not None
        return str(answer.model_extra["peer2prompt"]["ghost"])

    assert len({ask(f"session {number}") for number in range(GHOSTS)}) == GHOSTS
    with pytest.raises(openai.InternalServerError, match="No ghost is left") as caught:
        ask("one more")
    assert caught.value.status_code == 503
    demo.settle()
    assert ask("one more")


def leave_openai(demo: DemoApi) -> list[str]:
    """A stream that is closed after a few words."""
    with openai.OpenAI(base_url=demo.url, api_key=demo.key("openai"), timeout=120) as client:
        pieces: list[str] = []
        stream = client.chat.completions.create(model=MODEL, messages=LONG, stream=True)
        for chunk in stream:
            pieces += [chunk.choices[0].delta.content or ""]
            if len(pieces) >= 5:
                break
        stream.close()
        return pieces


def leave_anthropic(demo: DemoApi) -> list[str]:
    """The same in Anthropic's form."""
    url = demo.url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key=demo.key("anthropic"), timeout=120) as client:
        pieces: list[str] = []
        asked: dict[str, Any] = {"model": MODEL, "max_tokens": 500, "messages": LONG}
        with client.messages.stream(**asked) as stream:
            for piece in stream.text_stream:
                pieces.append(piece)
                if len(pieces) >= 5:
                    break
        return pieces


@pytest.mark.parametrize("leave", [leave_openai, leave_anthropic])
def test_who_goes_away_pays_for_what_came(
    demo: DemoApi, openai_client: openai.OpenAI, leave: Callable[[DemoApi], list[str]]
) -> None:
    """Four hundred numbers would take forty seconds and cost 16 sat."""
    demo.settle()
    before, had = demo.seen(), demo.earned_msat()
    assert "".join(leave(demo)).startswith("1 2 3")
    wait_until(
        lambda: demo.seen()["broken_off"] > before["broken_off"],
        "the ghost's provider is left",
        timeout_s=60,
    )
    assert demo.seen()["ended"] == before["ended"], "the answer did not run to its end"
    demo.check_money()
    last = max((one for ghost in demo.ghosts() for one in ghost["recent"]), key=lambda o: o["ts"])
    assert 0 < last["tokens_out"] < 400
    assert demo.earned_msat() - had == last["cost_msat"] < 16_000
    again = openai_client.chat.completions.create(model=MODEL, messages=HI)
    assert again.choices[0].message.content == ONION


def test_fifty_at_once(demo: DemoApi) -> None:
    """Of three programs, each with a key: every one has its own answer, and no ghost has seen two
    of the programs."""
    demo.settle()
    before, start = demo.earned_msat(), threading.Barrier(MANY)
    clients = {
        name: openai.OpenAI(base_url=demo.url, api_key=demo.key(name), timeout=300) for name in KEYS
    }

    def ask(number: int) -> tuple[str, str, int]:
        name, words = KEYS[number % len(KEYS)], f"word{number} of {number}"
        asked: list[Any] = [{"role": "user", "content": f"repeat: {words}"}]
        start.wait(60)
        answer = clients[name].chat.completions.create(model=MODEL, messages=asked)
        assert answer.choices[0].message.content == words
        assert answer.model_extra is not None
        account = answer.model_extra["peer2prompt"]
        return name, account["ghost"], account["cost_msat"]

    try:
        with ThreadPoolExecutor(MANY) as threads:
            told = list(threads.map(ask, range(MANY)))
    finally:
        for client in clients.values():
            client.close()
    met = [{ghost for one, ghost, _ in told if one == name} for name in KEYS]
    assert sum(len(ghosts) for ghosts in met) == len(set().union(*met))
    demo.check_money()
    assert demo.earned_msat() - before == sum(cost for _, _, cost in told)
