"""The categories of questions that a ghost can refuse, and what each means in words for people.

The names are those that moderation services use, with "-" for "/". A refused category covers its
parts: who refuses `sexual` refuses `sexual-minors` too. Plain values.
"""

from __future__ import annotations

from collections.abc import Iterable

CATEGORIES = {
    "harassment": "abuse of a person",
    "harassment-threatening": "threats against a person",
    "hate": "hatred of a group",
    "hate-threatening": "hatred with threats",
    "illicit": "help with crimes",
    "illicit-violent": "help with violent crimes and weapons",
    "self-harm": "harming oneself",
    "self-harm-instructions": "how to harm oneself",
    "self-harm-intent": "the wish to harm oneself",
    "sexual": "sexual content",
    "sexual-minors": "sexual content with minors",
    "violence": "violence",
    "violence-graphic": "violence in gory detail",
}


def normal(name: str) -> str:
    """A category as a moderation service or a program writes it, in our spelling."""
    return name.strip().lower().replace("/", "-").replace("_", "-")


def first_refused(refused: Iterable[str], found: Iterable[str]) -> str | None:
    """The first refused category that one of the found ones is, or is a part of."""
    names = {normal(name) for name in found}
    for category in sorted(refused):
        if any(name == category or name.startswith(f"{category}-") for name in names):
            return category
    return None
