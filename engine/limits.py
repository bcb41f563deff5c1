"""The settings under [limits]: what a node gives at most, to whom, and what it asks in return.

Values and their checks alone; who enforces a limit is said beside it. Rates are per second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from engine.errors import ConfigError

LEAST_MEMORY_MIB = 32  # a few circuits with full windows
LEAST_RATE = 32_768  # bytes a second: one text circuit at 125 ms, with its acknowledgements
_MIB = 1 << 20


_T = TypeVar("_T")


class Table(Protocol):
    """A table of config.toml, read field by field."""

    def take(self, key: str, kind: type[_T], default: _T) -> _T:
        """A value of one kind. Raises ConfigError."""

    def bounded(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds. Raises ConfigError."""

    def integers(self, key: str, default: tuple[int, ...], most: int) -> tuple[int, ...]:
        """A list of whole numbers from 1 to `most`. Raises ConfigError."""


@dataclass(frozen=True)
class Limits:
    """Every limit of a node; the defaults suit a relay with one core and 1 GiB of memory."""

    # New circuits (engine.circuit.admission). A neighbour that is a known relay carries those of
    # many clients, so it gets more; what it claims of itself counts for nothing.
    create_rate: int = 10
    create_burst: int = 60
    relay_create_rate: int = 100
    relay_create_burst: int = 400
    create_cpu_percent: int = 25  # of one core, for handshakes of new circuits
    work_bits: int = 12  # the first demand under load: two milliseconds of a client
    work_max_bits: int = 20
    circuits: int = 20_000
    # Memory of queued data (engine.circuit.memory).
    memory_mib: int = 512
    # Links (engine.link.gate).
    links: int = 4_096
    links_per_address: int = 32
    links_per_network: int = 512
    handshakes: int = 64
    handshakes_per_address: int = 8
    handshake_timeout_s: int = 10
    link_idle_s: int = 600
    # Bandwidth, bytes a second; 0 is no limit (engine.link.pace).
    relay_rate: int = 0
    exit_rate: int = 0
    client_rate: int = 0
    burst_s: int = 1  # how many seconds' worth may leave at once
    # Totals by role and day (engine.accounts), in the store or in memory alone.
    keep_totals: bool = True
    # Ports below 1,024 that a circuit may be extended to (engine.circuit.addresses).
    low_ports: tuple[int, ...] = (80, 443)

    @property
    def memory_bytes(self) -> int:
        """The budget for queued data in bytes."""
        return self.memory_mib * _MIB


def parse_limits(table: Table) -> Limits:
    """Read [limits]. Raises ConfigError with a sentence for its user."""
    default = Limits()

    def number(key: str, least: int, most: int) -> int:
        return table.bounded(key, getattr(default, key), least, most)

    limits = Limits(
        create_rate=number("create_rate", 1, 10_000),
        create_burst=number("create_burst", 1, 100_000),
        relay_create_rate=number("relay_create_rate", 1, 10_000),
        relay_create_burst=number("relay_create_burst", 1, 100_000),
        create_cpu_percent=number("create_cpu_percent", 1, 90),
        work_bits=number("work_bits", 1, 22),
        work_max_bits=number("work_max_bits", 1, 22),
        circuits=number("circuits", 1, 1_000_000),
        memory_mib=number("memory_mib", LEAST_MEMORY_MIB, 1_048_576),
        links=number("links", 1, 1_000_000),
        links_per_address=number("links_per_address", 1, 1_000_000),
        links_per_network=number("links_per_network", 1, 1_000_000),
        handshakes=number("handshakes", 1, 10_000),
        handshakes_per_address=number("handshakes_per_address", 1, 10_000),
        handshake_timeout_s=number("handshake_timeout_s", 1, 120),
        link_idle_s=number("link_idle_s", 60, 86_400),
        relay_rate=number("relay_rate", 0, 1 << 40),
        exit_rate=number("exit_rate", 0, 1 << 40),
        client_rate=number("client_rate", 0, 1 << 40),
        burst_s=number("burst_s", 1, 60),
        keep_totals=table.take("keep_totals", bool, default.keep_totals),
        low_ports=table.integers("low_ports", default.low_ports, 1_023),
    )
    if limits.work_bits > limits.work_max_bits:
        raise ConfigError(
            "The setting limits.work_bits is above limits.work_max_bits.",
            hint="The first demand for work must not be above the highest one.",
        )
    for key in ("relay_rate", "exit_rate", "client_rate"):
        if 0 < getattr(limits, key) < LEAST_RATE:
            raise ConfigError(
                f"The setting limits.{key} is too low to carry one shaped circuit.",
                hint=f"Use at least {LEAST_RATE:,} bytes a second, or 0 for no limit.",
            )
    return limits
