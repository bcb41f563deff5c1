"""What a node believes about its own address, from what others say. Pure.

Each witness has one voice a network, so that one network cannot outvote the others. An address
counts when at least two networks name it and more than half of all that answered; it is reachable
when more of those that tried to dial it got through than did not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.wire.reach import Verdict

AGREEING = 2  # networks


@dataclass(frozen=True, slots=True)
class Voice:
    """One witness: its network, where it sees us, what came of its dialling."""

    network: str
    host: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Belief:
    """`host` is empty when too few agree."""

    host: str = ""
    agreeing: int = 0
    voices: int = 0
    reached: int = 0
    not_reached: int = 0

    @property
    def is_reachable(self) -> bool:
        """True when the address is agreed upon and answers."""
        return bool(self.host) and self.reached > self.not_reached

    @property
    def is_unreachable(self) -> bool:
        """True when the address is agreed upon and does not answer."""
        return bool(self.host) and self.not_reached >= max(1, self.reached)


def weigh(voices: Sequence[Voice]) -> Belief:
    """What these voices amount to; of several in one network the first counts."""
    heard: dict[str, Voice] = {}
    for voice in voices:
        heard.setdefault(voice.network, voice)
    if not heard:
        return Belief()
    host, count = Counter(voice.host for voice in heard.values()).most_common(1)[0]
    if count < AGREEING or 2 * count <= len(heard):
        return Belief(agreeing=count, voices=len(heard))
    verdicts = Counter(voice.verdict for voice in heard.values() if voice.host == host)
    return Belief(host, count, len(heard), verdicts[Verdict.REACHED], verdicts[Verdict.NOT_REACHED])
