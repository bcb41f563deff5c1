"""Control protocol: the local API, which other programs ask through, and its keys."""

from __future__ import annotations

from typing import Any

from engine.control.protocol.frames import Params, Result


class ApiStartParams(Params, frozen=True):
    listen: str = ""
    """A loopback address with its port, or `unix:PATH`; empty for the one of the settings."""


class ApiStatus(Result, frozen=True):
    on: bool = False
    url: str = ""
    """What an OpenAI client takes as its base URL."""
    socket: str = ""
    """The Unix socket it listens on, when it does."""
    keys: int = 0
    asked: int = 0
    """Questions since it was opened."""
    under_way: int = 0
    waiting: int = 0
    sessions: int = 0
    """Isolation tags in use: they share no ghost and no circuit."""


class ApiKeyParams(Params, frozen=True):
    name: str


class ApiKeyMade(Result, frozen=True):
    """The one time that the key is shown."""

    name: str
    key: str


class ApiKeyInfo(Result, frozen=True):
    """`created` is unix seconds."""

    name: str
    created: float = 0


class ApiTag(Result, frozen=True):
    """Questions that share sessions and ghosts with each other and with nothing else."""

    tag: str
    """The beginning of its name: a digest."""
    key: str = ""
    """The name of the API key; empty for questions over the control socket."""
    purposes: list[str] = []
    """Of chat, titles, embeddings."""
    session: str = ""
    """A digest of the session that the program named; empty when it named none."""
    circuits: int = 0
    """Open now."""
    ghosts: list[str] = []
    """Short ids of those that have seen something of it."""
    asked: int = 0
    under_way: int = 0
    spent_msat: int = 0
    idle_s: float = 0
    """Seconds since its last question began or ended."""


class ApiReleaseParams(Params, frozen=True):
    tag: str = ""
    """The beginning of its name; empty for every tag that rests."""


class ApiReleased(Result, frozen=True):
    """How many tags were let go of; those at work stay."""

    released: int = 0


class ApiDescription(Result, frozen=True):
    """The API in OpenAPI 3.1."""

    openapi: dict[str, Any] = {}
