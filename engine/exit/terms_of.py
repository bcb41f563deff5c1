"""From the settings of a ghost to the terms it serves by: offers with prices, the policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.exit.backends.build import USUAL_FEATURES, options_of
from engine.exit.policy import GhostTerms
from engine.exit.prices import Price
from engine.exit.settings import GhostConfig
from engine.exit.settings_models import ModelSettings
from engine.wire.policy import MIXED, GhostPolicy
from engine.wire.quote import ModelOffer


def terms_of(config: GhostConfig, features: Mapping[str, Iterable[str]]) -> GhostTerms:
    """The terms with the highest prices, as the sheet has them. `features` says what the models
    can do where the settings do not."""
    offers = offers_of(config, features, load=1.0)
    return GhostTerms(
        models=offers,
        mints=config.mints,
        chunk_msat=config.chunk_msat,
        cap_msat=config.cap_msat,
        policy=policy_of(config),
    )


def offers_of(
    config: GhostConfig, features: Mapping[str, Iterable[str]], *, load: float
) -> tuple[ModelOffer, ...]:
    """What is offered at this load (0 to 1)."""
    return tuple(
        _offer(model, config.prices.price(model), _features(config, model, features), load)
        for model in config.offers
    )


def _offer(
    model: ModelSettings, price: Price, features: tuple[str, ...], load: float
) -> ModelOffer:
    tin, tout, cached, thought = price.at(load)
    return ModelOffer(
        name=model.name,
        in_price=tin,
        out_price=tout,
        max_out=model.max_out,
        cached_price=cached,
        reasoning_price=thought,
        context=model.context,
        features=features,
        max_hidden=model.max_hidden,
    )


def _features(
    config: GhostConfig, model: ModelSettings, known: Mapping[str, Iterable[str]]
) -> tuple[str, ...]:
    policy, able = config.policy, set(known.get(model.name, USUAL_FEATURES))
    wanted = {"images": policy.images, "tools": policy.tools}
    usual = {*USUAL_FEATURES, *(name for name, allowed in wanted.items() if allowed)}
    said = usual if model.features is None else set(model.features)
    return tuple(sorted(name for name in said & able if wanted.get(name, True)))


def policy_of(config: GhostConfig) -> GhostPolicy:
    """The policy document."""
    policy = config.policy
    kinds = {upstream.kind for upstream in config.upstreams}
    return GhostPolicy(
        refused=policy.refused,
        moderation=policy.moderation,
        params=options_of(sorted(kinds)),
        images=policy.images,
        tools=policy.tools,
        user=policy.tell_user,
        jurisdiction=policy.jurisdiction,
        provider=kinds.pop() if len(kinds) == 1 else MIXED,
    )
