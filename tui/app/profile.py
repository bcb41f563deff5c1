"""How much the screen moves: profiles for a terminal at hand, a slow link and a screen reader.

A profile changes how often and with what things are drawn, never what can be done. Chosen by the
user, else by where the terminal is. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AUTO = "auto"
PROFILE_ENV = "PEER2PROMPT_PROFILE"


@dataclass(frozen=True, slots=True)
class Profile:
    """Periods are seconds."""

    name: str
    title: str
    meaning: str
    fast_s: float
    """Between two paints of what streams."""
    slow_s: float
    """Between two paints of everything else."""
    theme: str
    """The theme while the user has chosen none."""
    ticking: bool
    """Whether spinners turn and seconds are counted while an answer is awaited."""
    framed: bool
    """Whether boxes, bars and rules are drawn around text."""
    whole_blocks: bool
    """Whether an answer appears paragraph by paragraph, each written once and then left alone."""


FULL = Profile(
    "full",
    "Full",
    "For a terminal on this machine or a fast link: answers appear as they come.",
    fast_s=0.1,
    slow_s=0.5,
    theme="midnight",
    ticking=True,
    framed=True,
    whole_blocks=False,
)
SLOW = Profile(
    "slow",
    "Slow link",
    "For SSH: the terminal's own colours, fewer paints, nothing that turns or counts.",
    fast_s=0.4,
    slow_s=2.0,
    theme="terminal",
    ticking=False,
    framed=True,
    whole_blocks=False,
)
PLAIN = Profile(
    "plain",
    "Plain",
    "For screen readers and braille: no boxes, no colours that matter, nothing that turns; an "
    "answer appears paragraph by paragraph.",
    fast_s=0.5,
    slow_s=2.0,
    theme="terminal",
    ticking=False,
    framed=False,
    whole_blocks=True,
)
PROFILES = {profile.name: profile for profile in (FULL, SLOW, PLAIN)}


def choose(wanted: str, environment: Mapping[str, str]) -> Profile:
    """The profile `wanted`; `auto` looks at where the terminal is. The environment variable
    PEER2PROMPT_PROFILE goes before what is wanted."""
    for name in (environment.get(PROFILE_ENV, ""), wanted):
        if name in PROFILES:
            return PROFILES[name]
    over_ssh = bool(environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"))
    return SLOW if over_ssh else FULL
