"""`[metrics]`: where they can be read, if at all. This machine alone unless it is said twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.gateway.settings import LOOPBACK, Listen
from engine.settings_table import Table

EXAMPLE = "127.0.0.1:9464"


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    listen: Listen | None = None
    anywhere: bool = False
    """Whether other machines may read: who can, learns when this node is busy."""


def parse_metrics(table: Table, base: Path) -> MetricsSettings:
    """Read [metrics]. Raises ConfigError with a sentence for its user."""
    where, anywhere = table.take("listen", str, ""), table.take("anywhere", bool, False)
    if not where:
        return MetricsSettings(None, anywhere)
    if where.startswith("unix:") and len(where) > 5:
        return MetricsSettings(Listen(socket=base / Path(where[5:]).expanduser()), anywhere)
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdigit() or int(port[:6]) > 65_535:
        raise ConfigError(
            "The setting metrics.listen is no address.",
            hint=f'Use "{EXAMPLE}" or "unix:PATH".',
        )
    if host not in LOOPBACK and not anywhere:
        raise ConfigError(
            "Metrics are for this machine alone unless the settings say otherwise.",
            kept="Nothing was opened.",
            hint=f'Use "{EXAMPLE}" or "unix:PATH", or set metrics.anywhere = true.',
        )
    return MetricsSettings(
        Listen("127.0.0.1" if host == "localhost" else host, int(port)), anywhere
    )
