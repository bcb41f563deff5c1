"""What a ghost answers: its terms, the quote made of them, and the check of each question.

A refusal comes before any payment is metered. Its words say what was wrong with the form of the
question, never what the question said. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.exit.backends.base import ChatRequest
from engine.market.commands import Admitted, Refusal
from engine.wire.policy import GhostPolicy
from engine.wire.quote import ModelOffer, Quote
from engine.wire.session import Ask
from engine.wire.sheet import Sheet

ROLES = ("system", "developer", "user", "assistant")
PARAMS = (
    "temperature",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
)
"""Options passed on to the provider. All others are refused by name, so that a client never pays
for an option that was silently dropped, and never reaches a provider feature by accident."""
MAX_MESSAGES = 2048
PLAIN_POLICY = GhostPolicy(params=tuple(sorted(PARAMS)))
"""What holds when the operator has chosen nothing."""


@dataclass(frozen=True, slots=True)
class GhostTerms:
    """The operator's choices. Prices are msat per million tokens."""

    models: tuple[ModelOffer, ...]
    mints: tuple[str, ...]
    chunk_msat: int
    cap_msat: int
    quote_life_s: int = 24 * 3600
    resume_s: float = 180.0
    mail_after_s: float = 20.0
    """How long a client may be away before its answer goes to its mailboxes."""
    max_sessions: int = 256
    policy: GhostPolicy = PLAIN_POLICY
    """What is said of all questions, in the sheet and by its hash in each quote."""
    provider_models: Mapping[str, str] = field(default_factory=dict)
    """Names the provider uses, where they differ from the offered ones."""

    def quote(
        self, key: bytes, quote_id: bytes, now: int, sign: Callable[[bytes], bytes]
    ) -> tuple[Quote, bytes]:
        """A fresh quote and its signed form."""
        quote = Quote(
            key=key,
            id=quote_id,
            models=self.models,
            chunk_msat=self.chunk_msat,
            cap_msat=self.cap_msat,
            mints=self.mints,
            policy=self.policy_hash(),
            expires=now + self.quote_life_s,
        )
        return quote, quote.encode(sign)

    def sheet(self) -> Sheet:
        """The offer to everybody, of which each quote is a copy."""
        return Sheet(
            models=self.models,
            chunk_msat=self.chunk_msat,
            cap_msat=self.cap_msat,
            mints=self.mints,
            policy=self.policy_hash(),
        )

    def policy_hash(self) -> bytes:
        """Commits to the policy document."""
        return self.policy.hash()

    def offer(self, model: str) -> ModelOffer | None:
        return next((offer for offer in self.models if offer.name == model), None)


def admit(terms: GhostTerms, ask: Ask, user: str | None) -> Admitted | Refusal:
    """The provider request for a question, or why the ghost will not answer it."""
    offer = terms.offer(ask.model)
    if offer is None:
        return Refusal("The ghost does not serve this model.")
    try:
        body = json.loads(ask.body)
    except (ValueError, RecursionError):
        return Refusal("The question is not valid JSON.")
    if not isinstance(body, dict):
        return Refusal("The question is not a JSON object.")
    messages = body.pop("messages", None)
    problem = _check_messages(messages)
    if problem:
        return Refusal(problem)
    most = body.pop("max_tokens", None)
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        return Refusal("The option max_tokens is not a positive whole number.")
    unknown = body.keys() - set(PARAMS)
    if unknown:
        return Refusal("The question uses an option this ghost does not pass on.")
    request = ChatRequest(
        model=terms.provider_models.get(ask.model, ask.model),
        messages=messages,
        max_tokens=min(most or offer.max_out, offer.max_out),
        params=body,
        user=user if terms.policy.user else None,
    )
    return Admitted(len(messages), request)


def _check_messages(messages: Any) -> str:
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        return "The question holds no list of messages."
    for message in messages:
        if not isinstance(message, dict) or message.keys() != {"role", "content"}:
            return "A message is not made of a role and a content."
        if message["role"] not in ROLES or not isinstance(message["content"], str):
            return "A message has an unknown role, or content that is not text."
    return ""
