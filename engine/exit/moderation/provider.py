"""The moderation endpoint of an AI provider (OpenAI's form, POST /moderations).

It sees every question, under the operator's account; the policy in the advert says so. With no
category chosen, whatever the provider flags is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import trio

from engine.errors import ProviderError
from engine.exit.admission import Question
from engine.exit.backends.http import ProviderHttp
from engine.exit.categories import first_refused
from engine.exit.moderation.command import AFTER_S, UNABLE, Unable
from engine.exit.moderation.rules import refusal
from engine.exit.moderation.words import images_of, texts_of
from engine.market.commands import Refusal

TIMEOUT_S = 20.0
MAX_AT_ONCE = 16
FLAGGED = Refusal("The question was flagged by a moderation service.", "moderated")


class ProviderModeration:
    """A gate over HTTP. `aclose` at the end."""

    def __init__(
        self,
        base_url: str,
        key: str,
        model: str,
        refused: Sequence[str],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._url = f"{base_url.rstrip('/')}/moderations"
        self._model = model
        self._refused = tuple(refused)
        self._http = ProviderHttp(headers, read_timeout_s=TIMEOUT_S, transport=transport)
        self._turns = trio.CapacityLimiter(MAX_AT_ONCE)
        self.failures = 0

    def __repr__(self) -> str:
        return "ProviderModeration()"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __call__(self, question: Question) -> Refusal | None:
        """The service's verdict; a refusal when it gives none."""
        request = question.form.request
        texts, images = texts_of(request), images_of(request)
        try:
            with trio.move_on_after(TIMEOUT_S):
                async with self._turns:
                    return self._judge(await self._ask(_input(texts, images)))
        except (ProviderError, Unable):
            pass
        self.failures += 1
        return Refusal(UNABLE.message, UNABLE.code, AFTER_S)

    async def _ask(self, said: str | list[dict[str, Any]]) -> Mapping[str, Any]:
        return await self._http.document("POST", self._url, {"model": self._model, "input": said})

    def _judge(self, answer: Mapping[str, Any]) -> Refusal | None:
        results = answer.get("results")
        if not isinstance(results, list) or not results:
            raise Unable
        for result in results:
            if not isinstance(result, dict) or not isinstance(result.get("flagged"), bool):
                raise Unable
            categories = result.get("categories")
            if not isinstance(categories, dict):
                raise Unable
            found = [str(name) for name, hit in categories.items() if hit is True]
            if (category := first_refused(self._refused, found)) is not None:
                return refusal(category)
            if result["flagged"] and not self._refused:
                return FLAGGED
        return None


def _input(texts: Sequence[str], images: Sequence[str]) -> str | list[dict[str, Any]]:
    said = "\n".join(texts)
    if not images:
        return said
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    return [{"type": "text", "text": said}, *pictures]
