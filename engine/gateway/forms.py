"""What every form of answer (chat completions, responses, messages) has to be able to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from engine.gateway.asking import Piece
from engine.gateway.problems import Problem

Frame: TypeAlias = tuple[str, object]
"""One server-sent event: its name, or none, and its JSON value; bytes are sent as they are."""


class Form(Protocol):
    """One answer in one form, gathered or piece by piece. Pure."""

    def add(self, piece: Piece) -> list[Frame]:
        """The events for a piece; the form remembers it for `whole`."""

    def last(self, result: Mapping[str, Any]) -> list[Frame]:
        """The events after the last piece."""

    def whole(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """All of it at once."""

    def failed(self, problem: Problem) -> list[Frame]:
        """The events that end a stream which broke off."""
