"""/v1/models: what the known ghosts offer, each model once, and what none of them does. Pure.

Entries have the fields of OpenAI's models and of Anthropic's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.control.protocol.sessions import Model
from engine.gateway.problems import Problem

_UNDATED = "1970-01-01T00:00:00Z"


def catalogue(models: Iterable[Model]) -> list[dict[str, Any]]:
    """The models that may be asked, by name; prices are of the cheapest offer."""
    offers: dict[str, list[Model]] = {}
    for one in models:
        if one.model and not one.quarantined and not one.misfit:
            offers.setdefault(one.model, []).append(one)
    return [_entry(name, offers[name]) for name in sorted(offers)]


def listed(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The list, in the forms of OpenAI and Anthropic at once; it has one page."""
    ends = {"first_id": entries[0]["id"], "last_id": entries[-1]["id"]} if entries else {}
    none = {"first_id": None, "last_id": None}
    return {"object": "list", "data": entries, "has_more": False, **none, **ends}


def unknown_model() -> Problem:
    """No ghost has it."""
    return Problem(
        404,
        "model_not_found",
        "No ghost offers this model.",
        "See: peer2prompt models",
        "Nothing was sent and nothing was paid.",
        param="model",
    )


def not_offered(
    models: Iterable[Model], model: str | None, features: frozenset[str]
) -> Problem | None:
    """Why nobody can be asked for this, ever; None when it is offered."""
    entries = catalogue(models)
    fit = [entry for entry in entries if model in (None, entry["id"])]
    if not fit:
        return unknown_model() if entries else None
    for feature in sorted(features):
        if not any(feature in entry["peer2prompt"]["features"] for entry in fit):
            return Problem(
                400,
                "unsupported_parameter",
                f"No ghost offers {model or 'a model'} with {feature}.",
                "Choose another model; `peer2prompt models` shows what each can do.",
                "Nothing was sent and nothing was paid.",
            )
    return None


def _entry(name: str, offers: list[Model]) -> dict[str, Any]:
    cheapest = min(offers, key=lambda one: (one.out_price, one.in_price))
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "peer2prompt",
        "type": "model",
        "display_name": name,
        "created_at": _UNDATED,
        "lifecycle": "active",
        "peer2prompt": {
            "ghosts": len({one.ghost for one in offers}),
            "in_msat_per_million": cheapest.in_price,
            "out_msat_per_million": cheapest.out_price,
            "context": max(one.context for one in offers),
            "features": sorted({feature for one in offers for feature in one.features}),
        },
    }
