"""Small checks of JSON values that a question holds, and the error they raise. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import ProtocolError

MAX_STOPS = 4
MAX_STOP = 256
MAX_DEPTH = 64
_MISSING = {
    "embeddings": "This model makes no embeddings here.",
    "images": "This model takes no images here.",
    "json": "This model offers no JSON mode here.",
    "reasoning": "This model's reasoning cannot be set here.",
    "tools": "This model uses no tools here.",
}


class Unfit(ProtocolError):
    """The form of a question is wrong; the message says why without a word of the question."""

    code = "refused"


def need(feature: str, features: frozenset[str]) -> None:
    """Raises Unfit unless the model has the feature."""
    if feature not in features:
        raise Unfit(_MISSING[feature])


def as_whole(value: Any, name: str, most: int = 2**53) -> int:
    """A positive whole number, or 0 for None."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise Unfit(f"The option {name} is not a positive whole number.")
    return value


def check_number(value: Any, name: str, least: float, most: float) -> None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    if not fits:
        raise Unfit(f"The option {name} is not a number from {least:g} to {most:g}.")


def check_seed(value: Any) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not -(2**63) <= value < 2**63:
        raise Unfit("The option seed is not a whole number.")


def check_stop(value: Any) -> None:
    """A text or a few short ones that end an answer. Raises Unfit."""
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not 1 <= len(stops) <= MAX_STOPS:
        raise Unfit("The option stop is neither a text nor a short list of texts.")
    if not all(isinstance(stop, str) and 1 <= len(stop) <= MAX_STOP for stop in stops):
        raise Unfit("The option stop holds something that is not a short text.")


def check_depth(value: Any, what: str) -> None:
    """Raises Unfit for a tree of lists and objects that is nested too deep to be written again."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Unfit(f"{what} is nested too deep.")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def keys_fit(value: Any, must: set[str], may: frozenset[str] = frozenset()) -> bool:
    """Whether `value` is an object with all keys of `must`, and besides only some of `may`."""
    return isinstance(value, Mapping) and must <= value.keys() <= must | may
