"""Looks once a day whether a provider's own list asks more than the settings say.

Only where a list has prices, which few providers' lists do; the others are asked once a start. It
changes no price: the operator is told, with the words to type.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import trio

from engine.errors import ProviderError
from engine.exit.backends.listing import Asked, Listing, usd_text
from engine.exit.settings_models import Costs, ModelSettings

FIRST_S = 600.0
DAY_S = 86_400.0

Ask = Callable[[], Awaitable[Listing]]


class PriceWatch:
    """`run` it; `warnings` says what it found. `lists` are the providers' lists, each with the
    offered models it has and their names there."""

    def __init__(self, lists: Iterable[tuple[Ask, Mapping[str, str]]]) -> None:
        self._lists = list(lists)
        self._asked: dict[str, Asked] = {}
        """The dearest that was found for each offered model, at the latest look that found any."""

    async def run(self) -> None:
        """Look until no provider's list has prices, or for ever."""
        wait_s = FIRST_S
        while self._lists:
            await trio.sleep(wait_s)
            await self.look()
            wait_s = DAY_S

    async def look(self) -> None:
        """Ask each provider for its list; one that does not answer is asked again next time."""
        priced = []
        seen: dict[str, Asked] = {}
        for ask, names in self._lists:
            try:
                listing = await ask()
            except ProviderError:
                priced.append((ask, names))
                continue
            prices = listing.prices
            found = {ours: prices[name] for ours, name in names.items() if name in prices}
            for name, asked in found.items():
                seen[name] = _dearer(seen.get(name, asked), asked)
            if found:
                priced.append((ask, names))
        self._asked |= seen
        self._lists = priced

    def warnings(self, models: Iterable[ModelSettings]) -> list[str]:
        """A sentence for each model that costs more than its settings say."""
        return [
            f"The provider's list asks more for {model.name} than your settings say: "
            f"`peer2prompt ghost prices --cost {model.name}={_usd(asked)}`."
            for model in models
            if (asked := self._asked.get(model.name)) and _is_dearer(asked, model.costs)
        ]


def _dearer(one: Asked, other: Asked) -> Asked:
    """The most of both, part by part: a question may go to either."""
    return Asked(
        max(one.tokens_in, other.tokens_in),
        max(one.tokens_out, other.tokens_out),
        max(one.cached, other.cached),
    )


def _is_dearer(asked: Asked, costs: Costs | None) -> bool:
    return costs is not None and (
        asked.tokens_in > costs.tokens_in or asked.tokens_out > costs.tokens_out
    )


def _usd(asked: Asked) -> str:
    parts = (asked.tokens_in, asked.tokens_out, asked.cached)
    return ":".join(usd_text(part) for part in parts)
