"""What the ghost hands to the engine's thread, and what comes back. Data only.

A job belongs to the engine's thread from `submit` on; the asking side touches nothing but `read`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.errors import ProviderError
from engine.exit.backends.base import Delta, Finish, Usage
from engine.exit.backends.llama_cpp.cells import Place
from engine.exit.backends.llama_cpp.sampling import Sampler, SamplingOptions
from engine.exit.backends.llama_cpp.text import AnswerText


@dataclass(frozen=True, slots=True)
class Paused:
    """The answer waits until its reader has caught up and says so."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer broke off."""

    error: ProviderError


@dataclass(frozen=True, slots=True)
class Vectors:
    """The embeddings that were asked for, normalised, in order."""

    vectors: list[list[float]] = field(repr=False)
    tokens: int


JobEvent = Delta | Usage | Finish | Paused | Failed | Vectors
Post = Callable[[JobEvent], None]
"""Takes an event; called in the asking side's thread."""


@dataclass(eq=False, slots=True)
class ChatJob:
    """One answer. `limit` is the most tokens it may have; `session` pins its cache."""

    tokens: list[int] = field(repr=False)
    limit: int
    options: SamplingOptions
    post: Post = field(repr=False)
    session: bytes | None = field(default=None, repr=False)
    stops: tuple[str, ...] = field(default=(), repr=False)
    grammar: str = field(default="", repr=False)

    # What the engine knows of it.
    asked: int = 0
    """Tokens of the prompt."""
    made: int = 0
    sent: int = 0
    read: int = 0
    """Events that the asking side has handed on. Written by that side alone."""
    cached: int | None = None
    over: bool = False
    private: bytes = field(default_factory=lambda: b"job" + os.urandom(16), repr=False)
    place: Place | None = field(default=None, repr=False)
    sampler: Sampler | None = None
    text: AnswerText = field(default_factory=AnswerText)

    def __post_init__(self) -> None:
        self.asked = len(self.tokens)
        self.text = AnswerText(self.stops)

    @property
    def owner(self) -> bytes:
        """Under which name its conversation rests."""
        return self.private if self.session is None else b"pin" + self.session

    @property
    def missing(self) -> int:
        """Tokens that are not computed yet."""
        return len(self.tokens) - (len(self.place.tokens) if self.place else 0)


@dataclass(eq=False, slots=True)
class EmbedJob:
    """Texts to be turned into vectors, as tokens."""

    inputs: list[list[int]] = field(repr=False)
    post: Post = field(repr=False)
    over: bool = False
    done: list[list[float]] = field(default_factory=list, repr=False)


Outbox = list[tuple[ChatJob | EmbedJob, JobEvent]]
"""What happened to whom, in order."""
