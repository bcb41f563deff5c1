"""Fields for paths, which are completed while they are typed."""

from __future__ import annotations

import asyncio

from textual.suggester import Suggester

from tui.app.files import completion
from tui.app.screens.form import Check, Field


class PathSuggester(Suggester):
    """Proposes the first name that begins so."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(completion, value)


def path_field(name: str, label: str, check: Check | None = None, value: str = "") -> Field:
    return Field(name, label, value, "~/", check, suggester=PathSuggester())
