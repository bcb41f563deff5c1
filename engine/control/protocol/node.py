"""Control protocol: the node itself and its store."""

from __future__ import annotations

from typing import Any

from engine.control.protocol.frames import Params, Result
from engine.control.protocol.roles import Draining


class HelloParams(Params, frozen=True):
    protocol: int
    client: str = "program"
    events: bool = False


class Hello(Result, frozen=True):
    protocol: int
    version: str = ""
    node: str = ""
    roles: list[str] = []
    boot: str = ""
    """Drawn at each start of a node: whether it is the one that was spoken to before."""


class Mailboxes(Result, frozen=True):
    """What a relay keeps for the packet plane: counts only."""

    slots: int = 0
    boxes: int = 0
    packets_held: int = 0
    packets_passed: int = 0
    packets_boxed: int = 0
    packets_dropped: int = 0


class Status(Result, frozen=True):
    version: str = ""
    node: str = ""
    roles: list[str] = []
    uptime_s: float = 0
    home: str = ""
    pid: int = 0
    relays_known: int = 0
    ghosts_known: int = 0
    ghosts_quarantined: int = 0
    """Left alone by what is known of them here, or by the user's word."""
    circuits_open: int = 0
    wallet_sat: int | None = None
    store: str = "open"
    shape_class: str = "text"
    tick_ms: int = 0
    tier: str = ""
    set_size: int = 0
    guard_age_s: float | None = None
    guard: str | None = None
    """Short id of the guard in use."""
    shape_leak_bound: str = ""
    last_cost_msat: int | None = None
    warnings: list[str] = []
    mailboxes: Mailboxes | None = None
    state: str = "serving"
    """Or "draining": the node was told to end and lets what runs finish."""
    draining: Draining | None = None
    clock_off_s: float = 0
    """By how much this machine's clock was set away from what the node goes by, in seconds."""


class StopParams(Params, frozen=True):
    drain_s: float = 5.0
    patient: bool = False
    """Whether answers to this node's own questions may finish within that time."""


class SettingInfo(Result, frozen=True):
    """One setting of config.toml as the node read it at its start."""

    name: str
    value: Any = None
    default: Any = None
    changed: bool = False
    """Whether it stands in the file."""
    meaning: str = ""


class PassphraseParams(Params, frozen=True):
    old: str
    new: str


class SecretParams(Params, frozen=True):
    """Empty for a store that no passphrase opens."""

    passphrase: str


class Lock(Result, frozen=True):
    """How a screen that was locked is opened again."""

    passphrase: bool = True
    """False: a key file opens this store, so there is nothing to ask for."""


class BackupParams(Params, frozen=True):
    """An absolute path that does not exist yet."""

    path: str


class Backup(Result, frozen=True):
    path: str
    bytes: int = 0


class Wiped(Result, frozen=True):
    """The names of what is destroyed."""

    removed: list[str] = []
