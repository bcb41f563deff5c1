"""What a ghost answers: its terms, the quote made of them, and the check of each question.

A refusal comes before any payment is metered. Its words say what was wrong with the form of the
question, never what the question said. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.exit.backends.base import ChatRequest, EmbedRequest
from engine.exit.question import OPTIONS, Chat, Embed, read_question
from engine.exit.question_checks import Unfit
from engine.market.commands import Admitted, Refusal
from engine.wire.policy import GhostPolicy
from engine.wire.quote import ModelOffer, Quote
from engine.wire.session import Ask
from engine.wire.sheet import Sheet

PLAIN_POLICY = GhostPolicy(params=tuple(sorted(OPTIONS)))
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
    locked_only: bool = False
    """Whether payments must be locked to the key that each quote names."""
    policy: GhostPolicy = PLAIN_POLICY
    """What is said of all questions, in the sheet and by its hash in each quote."""
    provider_models: Mapping[str, str] = field(default_factory=dict)
    """Names the provider uses, where they differ from the offered ones."""

    def quote(
        self,
        key: bytes,
        quote_id: bytes,
        now: int,
        sign: Callable[[bytes], bytes],
        lock: bytes = b"",
    ) -> tuple[Quote, bytes]:
        """A fresh quote and its signed form. Payments may be locked to the public key `lock`."""
        quote = Quote(
            key=key,
            id=quote_id,
            models=self.models,
            chunk_msat=self.chunk_msat,
            cap_msat=self.cap_msat,
            mints=self.mints,
            policy=self.policy.hash(),
            expires=now + self.quote_life_s,
            lock=lock,
            locked_only=self.locked_only,
        )
        return quote, quote.encode(sign)

    def sheet(self) -> Sheet:
        """The offer to everybody, of which each quote is a copy."""
        return Sheet(
            models=self.models,
            chunk_msat=self.chunk_msat,
            cap_msat=self.cap_msat,
            mints=self.mints,
            policy=self.policy.encode(),
        )

    def offer(self, model: str) -> ModelOffer | None:
        return next((offer for offer in self.models if offer.name == model), None)

    def features_of(self, offer: ModelOffer) -> frozenset[str]:
        """What the model can do as far as the policy lets a client use it."""
        barred = {"images": not self.policy.images, "tools": not self.policy.tools}
        return frozenset(name for name in offer.features if not barred.get(name, False))


def admit(
    terms: GhostTerms, ask: Ask, user: str | None, session: bytes | None = None
) -> Admitted | Refusal:
    """The provider request for a question, or why the ghost will not answer it.

    `user` and `session` are random per session: towards a provider that wants to tell end users
    apart, and for its prefix cache.
    """
    offer = terms.offer(ask.model)
    if offer is None:
        return Refusal("The ghost does not serve this model.")
    try:
        question = read_question(ask.body, terms.features_of(offer), terms.policy.params)
    except Unfit as error:
        return Refusal(error.message)
    model = terms.provider_models.get(ask.model, ask.model)
    user = user if terms.policy.user else None
    match question:
        case Embed(inputs, dimensions):
            return Admitted(len(inputs), EmbedRequest(model, inputs, dimensions, user, session))
        case Chat():
            return Admitted(
                len(question.messages),
                ChatRequest(
                    model=model,
                    messages=question.messages,
                    max_tokens=min(question.max_tokens or offer.max_out, offer.max_out),
                    params=question.params,
                    user=user,
                    session=session,
                    tools=question.tools,
                    tool_choice=question.tool_choice,
                    response_format=question.response_format,
                ),
            )
