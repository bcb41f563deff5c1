"""What a ghost answers and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.exit.backends.base import ChatRequest, EmbedRequest
from engine.exit.policy import GhostTerms, admit
from engine.identity import Identity
from engine.market.commands import Admitted, Refusal
from engine.wire.policy import GhostPolicy
from engine.wire.quote import ModelOffer, Quote
from engine.wire.session import Ask

TERMS = GhostTerms(
    models=(ModelOffer.plain("tiny", 1, 1, 100),),
    mints=("http://mint",),
    chunk_msat=10_000,
    cap_msat=50_000,
    provider_models={"tiny": "vendor/tiny-1"},
)
HI = [{"role": "user", "content": "SECRET"}]


def ask(body: Any, model: str = "tiny") -> Ask:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Ask(1, model, raw)


def request_of(verdict: Admitted | Refusal) -> ChatRequest:
    assert isinstance(verdict, Admitted)
    request = verdict.request
    assert isinstance(request, ChatRequest)
    return request


def refusal_of(verdict: Admitted | Refusal) -> str:
    assert isinstance(verdict, Refusal)
    return verdict.message


def test_admitted_questions_become_provider_requests() -> None:
    request = request_of(admit(TERMS, ask({"messages": HI, "temperature": 0.2}), "u1"))
    assert request.model == "vendor/tiny-1"
    assert request.max_tokens == 100
    assert request.params == {"temperature": 0.2}
    assert request.user is None
    assert "SECRET" not in repr(request)


def test_output_is_limited_by_both_sides() -> None:
    assert request_of(admit(TERMS, ask({"messages": HI, "max_tokens": 7}), None)).max_tokens == 7
    assert (
        request_of(admit(TERMS, ask({"messages": HI, "max_tokens": 900}), None)).max_tokens == 100
    )


def test_user_is_told_only_when_the_provider_asks_for_one() -> None:
    terms = GhostTerms(TERMS.models, TERMS.mints, 10_000, 50_000, policy=GhostPolicy(user=True))
    assert request_of(admit(terms, ask({"messages": HI}), "u1")).user == "u1"
    assert terms.policy.hash() != TERMS.policy.hash()
    assert terms.sheet().policy_hash == terms.policy.hash()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"[" * 100_000,
        [],
        {},
        {"messages": []},
        {"messages": "SECRET"},
        {"messages": ["SECRET"]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "tool", "content": "SECRET"}]},
        {"messages": [{"role": "user", "content": "SECRET", "name": "x"}]},
        {"messages": HI, "max_tokens": 0},
        {"messages": HI, "max_tokens": True},
        {"messages": HI, "max_tokens": "9"},
        {"messages": HI, "tools": ["SECRET"]},
        {"messages": HI, "user": "SECRET"},
        {"messages": HI, "stream": False},
        {"messages": HI, "model": "other"},
    ],
)
def test_refusals_say_what_is_wrong_and_quote_nothing(body: Any) -> None:
    verdict = admit(TERMS, ask(body), None)
    assert isinstance(verdict, Refusal)
    assert "SECRET" not in verdict.message
    assert isinstance(admit(TERMS, ask({"messages": HI}, "other"), None), Refusal)


def test_terms_make_a_valid_quote() -> None:
    ghost = Identity.generate()
    quote, raw = TERMS.quote(ghost.public, bytes(16), 1000, ghost.sign)
    assert Quote.decode(raw) == quote
    assert quote.expires == 1000 + TERMS.quote_life_s


def able(*features: str, policy: GhostPolicy | None = None) -> GhostTerms:
    offer = replace(TERMS.models[0], features=features)
    return replace(TERMS, models=(offer,), policy=policy or TERMS.policy)


def test_features_are_those_of_the_model_that_the_policy_lets_through() -> None:
    everything = ("embeddings", "images", "json", "tools")
    terms = able(*everything)
    assert terms.features_of(terms.models[0]) == {"embeddings", "json"}
    terms = able(*everything, policy=GhostPolicy(images=True, tools=True))
    assert terms.features_of(terms.models[0]) == set(everything)


def test_a_question_for_embeddings() -> None:
    question = ask({"input": ["a", "b"], "dimensions": 8})
    verdict = admit(able("embeddings"), question, "u", b"s")
    assert isinstance(verdict, Admitted)
    assert verdict.messages == 2
    assert verdict.request == EmbedRequest("vendor/tiny-1", ["a", "b"], 8, None, b"s")
    assert "This model makes no embeddings" in refusal_of(admit(TERMS, ask({"input": "a"}), None))


def test_options_the_policy_does_not_name_are_refused() -> None:
    terms = GhostTerms(TERMS.models, TERMS.mints, 1, 1, policy=GhostPolicy(params=("top_p",)))
    assert request_of(admit(terms, ask({"messages": HI, "top_p": 0.5}), None)).params
    assert "does not pass on" in refusal_of(
        admit(terms, ask({"messages": HI, "temperature": 0}), None)
    )
