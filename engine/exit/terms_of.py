"""From the settings of a ghost to the terms it serves by: offers with prices, the policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.exit.backends.build import USUAL_FEATURES, options_of
from engine.exit.local_models import LocalFacts
from engine.exit.policy import GhostTerms
from engine.exit.prices import Price
from engine.exit.settings import GhostConfig
from engine.exit.settings_models import ModelSettings
from engine.wire.policy import MIXED, GhostPolicy
from engine.wire.quote import ModelOffer

NOTHING: Mapping[str, LocalFacts] = {}


def terms_of(
    config: GhostConfig,
    features: Mapping[str, Iterable[str]],
    local: Mapping[str, LocalFacts] = NOTHING,
) -> GhostTerms:
    """The terms with the highest prices, as the sheet has them. `features` says what the models
    can do where the settings do not, `local` what is known of those of this process."""
    offers = offers_of(config, features, local, load=1.0)
    return GhostTerms(
        models=offers,
        mints=config.mints,
        chunk_msat=config.chunk_msat,
        cap_msat=config.cap_msat,
        locked_only=config.locked_only,
        policy=policy_of(config),
    )


def offers_of(
    config: GhostConfig,
    features: Mapping[str, Iterable[str]],
    local: Mapping[str, LocalFacts] = NOTHING,
    *,
    load: float,
) -> tuple[ModelOffer, ...]:
    """What is offered at this load (0 to 1)."""
    return tuple(
        _offer(
            model,
            config.prices.price(model),
            _features(config, model, features, model.name in local),
            local.get(model.name, LocalFacts(b"", 0)),
            load,
        )
        for model in config.offers
    )


def _offer(
    model: ModelSettings, price: Price, features: tuple[str, ...], local: LocalFacts, load: float
) -> ModelOffer:
    """A context of the settings counts as long as the model of this process has it."""
    contexts = [context for context in (model.context, local.context) if context]
    tin, tout, cached, thought = price.at(load)
    return ModelOffer(
        name=model.name,
        in_price=tin,
        out_price=tout,
        max_out=model.max_out,
        cached_price=cached,
        reasoning_price=thought,
        context=min(contexts, default=0),
        features=features,
        weights=local.weights,
        max_hidden=model.max_hidden,
    )


def _features(
    config: GhostConfig, model: ModelSettings, known: Mapping[str, Iterable[str]], local: bool
) -> tuple[str, ...]:
    """What the settings say, or what is usual; all that a model of this process can."""
    policy, able = config.policy, set(known.get(model.name, USUAL_FEATURES))
    wanted = {"images": policy.images, "tools": policy.tools}
    usual = {*USUAL_FEATURES, *(name for name, allowed in wanted.items() if allowed)}
    if local:
        usual |= able
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
