"""Control protocol: what a node does for others and itself, switched while it runs."""

from __future__ import annotations

from engine.control.protocol.frames import Params, Result

DEFAULT_WAIT_S = 30.0


class RoleInfo(Result, frozen=True):
    """One role, or a part of one that can be switched by itself."""

    name: str
    on: bool = False
    kept: bool = False
    """Whether the settings file says so: what holds after a restart."""
    ending: bool = False
    """Switched off, and what runs for it comes to its end now."""
    meaning: str = ""


class RoleParams(Params, frozen=True):
    name: str
    on: bool
    keep: bool = False
    """Whether config.toml says so from now on."""
    wait_s: float = DEFAULT_WAIT_S
    """How long what runs for a role that ends may go on, in seconds."""


class ReloadParams(Params, frozen=True):
    wait_s: float = DEFAULT_WAIT_S


class Reloaded(Result, frozen=True):
    """Names of settings that differ from those the node has run by."""

    applied: list[str] = []
    restart: list[str] = []
    """Changed in the file, and in force after a restart."""


class UpgradeParams(Params, frozen=True):
    wait_s: float = DEFAULT_WAIT_S


class Draining(Result, frozen=True):
    """What a node that ends still waits for: counts only."""

    left_s: float = 0
    """Until what still runs is cut short, in seconds."""
    questions: int = 0
    answers: int = 0
    circuits: int = 0
    upgrade: bool = False
    """Whether another program takes over."""
