"""Control protocol: the local API, which other programs ask through, and its keys."""

from __future__ import annotations

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
