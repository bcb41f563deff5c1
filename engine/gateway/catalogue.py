"""/v1/models: what the known ghosts offer, each model once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.control.protocol.sessions import Model


def catalogue(models: Iterable[Model]) -> list[dict[str, Any]]:
    """The models that may be asked, by name; prices are of the cheapest offer."""
    offers: dict[str, list[Model]] = {}
    for one in models:
        if one.model and not one.quarantined and not one.misfit:
            offers.setdefault(one.model, []).append(one)
    return [_entry(name, offers[name]) for name in sorted(offers)]


def _entry(name: str, offers: list[Model]) -> dict[str, Any]:
    cheapest = min(offers, key=lambda one: (one.out_price, one.in_price))
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "peer2prompt",
        "peer2prompt": {
            "ghosts": len({one.ghost for one in offers}),
            "in_msat_per_million": cheapest.in_price,
            "out_msat_per_million": cheapest.out_price,
            "context": max(one.context for one in offers),
            "features": sorted({feature for one in offers for feature in one.features}),
        },
    }
