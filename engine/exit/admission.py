"""The door of a ghost: whether a question whose form is in order is answered, before it costs.

    form check (engine.exit.policy) -> categories and moderation -> caps -> a place in the queue

Every refusal is free and says so by a code: refused, moderated, cap_reached, busy, provider_*. Its
words never repeat the question. A step that cannot judge refuses. Types only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from engine.exit.backends.base import Usage
from engine.market.commands import Admitted, Refusal
from engine.wire import session as wire


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be judged. `session` is the session's hash: it tells sessions apart, no more."""

    session: bytes = field(repr=False)
    ask: wire.Ask = field(repr=False)
    form: Admitted = field(repr=False)


@dataclass(slots=True)
class Spent:
    """What is known of a request to the provider once it is over."""

    usage: Usage | None = None
    """The provider's own counts, where it gave them."""
    text_bytes: int = 0
    """What came from it, in bytes."""
    failure: str = ""
    """The kind of ProviderError it ended with."""


class Place(Protocol):
    """An admitted question's share of the ghost: a slot at the provider, a part of the caps."""

    async def begin(self) -> None:
        """The provider is about to be asked: from here on it may cost."""
        ...

    async def end(self, spent: Spent) -> None:
        """The provider is through with it."""
        ...

    def release(self) -> None:
        """Others may have the place. Any number of times; also when nothing was asked."""
        ...


@dataclass(frozen=True, slots=True)
class Granted:
    """The question is answered, once it is paid for."""

    form: Admitted = field(repr=False)
    place: Place


class Admission(Protocol):
    """Judges questions. It may take its time; cancelled when the client goes away."""

    async def admit(self, question: Question) -> Granted | Refusal: ...


Gate: TypeAlias = "Callable[[Question], Awaitable[Refusal | None]]"
"""One step that may refuse."""


class NoPlace:
    """A place that takes no room and costs nothing."""

    async def begin(self) -> None:
        """Nothing to do."""

    async def end(self, spent: Spent) -> None:
        """Nothing to do."""

    def release(self) -> None:
        """Nothing to do."""


class OpenDoor:
    """Answers every question whose form is in order."""

    async def admit(self, question: Question) -> Granted | Refusal:
        """Granted, always."""
        return Granted(question.form, NoPlace())
