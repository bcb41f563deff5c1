"""`[api]`: where the local API listens, and for how long programs are kept apart. Only this machine
can be named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.settings_table import Table

USUAL = "127.0.0.1:8765"
USUAL_IDLE_MIN = 60
MAX_IDLE_MIN = 1_000_000
MINUTE_S = 60.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Listen:
    """A loopback address, or a Unix socket."""

    host: str = ""
    port: int = 0
    socket: Path | None = None

    @property
    def url(self) -> str:
        """Where an OpenAI client is pointed at; over a Unix socket the host is only a word."""
        if self.socket is not None:
            return "http://localhost/v1"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"

    def is_at(self, where: Listen) -> bool:
        """Whether a server at `where` is what is wanted; port 0 is content with any."""
        same = (self.host, self.socket) == (where.host, where.socket)
        return same and self.port in (0, where.port)


def parse_listen(value: str, base: Path) -> Listen:
    """ "127.0.0.1:PORT", "[::1]:PORT", "localhost:PORT" or "unix:PATH". Raises ConfigError."""
    if value.startswith("unix:") and len(value) > 5:
        return Listen(socket=base / Path(value[5:]).expanduser())
    host, _, port = value.rpartition(":")
    host = host.strip("[]")
    if host not in LOOPBACK:
        raise ConfigError(
            "The local API listens on this machine alone.",
            kept="Nothing was opened.",
            hint=f'Use "{USUAL}" or "unix:PATH".',
        )
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65_535:
        raise ConfigError("The local API needs a port.", hint=f'For example "{USUAL}".')
    return Listen("127.0.0.1" if host == "localhost" else host, int(port))


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """`[api]` of config.toml."""

    listen: Listen | None = None
    """Where it listens from the start; None when it waits for `peer2prompt api start`."""
    tag_idle_s: float = USUAL_IDLE_MIN * MINUTE_S
    """A tag that rests so long is let go of; 0 is never."""


def parse_api(table: Table, base: Path) -> ApiSettings:
    """`[api]` of config.toml. Raises ConfigError.

    listen = "127.0.0.1:8765"   on from the start, and where
    tag_idle_minutes = 60       after so much rest others may have its ghosts; 0 is never
    """
    value = table.take("listen", str, "")
    minutes = table.bounded("tag_idle_minutes", USUAL_IDLE_MIN, 0, MAX_IDLE_MIN)
    return ApiSettings(parse_listen(value, base) if value else None, minutes * MINUTE_S)
