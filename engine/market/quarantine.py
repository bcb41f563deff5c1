"""When a ghost is left alone, for how long, and how it comes back.

    a false bill, a false receipt, a word told to it alone that came back    30 days
    a payment that was kept; answers to probes wrong again and again          7 days
    four failures in a row                                                   30 minutes: a rest
    three times in a row no session could be opened, or its stream was cut   10 minutes: a rest

Each further time within half a year doubles it, up to a year for the grave ones and a day for
rests. A rest is soft: a resting ghost is asked when there is no other. When a quarantine ends half
of what spoke against the ghost is forgiven, and it begins again as a newcomer. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.market.observations import Seen
from engine.market.tally import DAY_S, Belief, Tally

MINUTE_S = 60.0
FAILURES_IN_A_ROW = 4
UNREACHABLE_IN_A_ROW = 3
MOST_S = 360 * DAY_S
MOST_REST_S = DAY_S
STRIKES_FADE = Belief(1.0, 1.0, 180 * DAY_S)
RESTS_FADE = Belief(1.0, 1.0, 0.25 * DAY_S)

_GRAVE = {
    Seen.OVERBILLED: ("it asked for more than its quote allows", 30 * DAY_S),
    Seen.CHEATED: ("its receipt did not hold", 30 * DAY_S),
    Seen.KEPT: ("it kept a payment", 7 * DAY_S),
    Seen.CANARY: ("a word told to it alone came back from elsewhere", 30 * DAY_S),
}
WRONG = ("its answers to probes were wrong", 7 * DAY_S)
_REST_FAILED = ("it failed several times in a row", 30 * MINUTE_S)
_REST_SILENT = ("the way to it was lost several times in a row", 10 * MINUTE_S)


@dataclass(frozen=True, slots=True)
class Ban:
    """A ghost is left alone until then (unix seconds; infinity: until the user says otherwise)."""

    reason: str
    since: float
    until: float
    rest: bool = False
    """Soft: it is asked when there is no other."""
    by_user: bool = False


class Conduct:
    """The record of one ghost, as far as quarantine goes."""

    __slots__ = ("_rests", "_streak", "_strikes", "ban")

    def __init__(self) -> None:
        self.ban: Ban | None = None
        self._strikes = Tally(STRIKES_FADE)
        self._rests = Tally(RESTS_FADE)
        self._streak: dict[Seen, int] = {}

    def note(self, seen: Seen, now: float) -> None:
        """Something was seen of the ghost."""
        if seen in _GRAVE:
            self.strike(_GRAVE[seen], now)
        elif seen is Seen.ANSWERED:
            self._streak.clear()
        elif seen is Seen.FAILED:
            self._count(seen, FAILURES_IN_A_ROW, _REST_FAILED, now)
        elif seen in (Seen.UNREACHABLE, Seen.CUT):
            self._count(Seen.UNREACHABLE, UNREACHABLE_IN_A_ROW, _REST_SILENT, now)

    def _count(self, seen: Seen, most: int, rest: tuple[str, float], now: float) -> None:
        count = self._streak.get(seen, 0) + 1
        self._streak[seen] = count % most
        if count == most and not (self.ban and not self.ban.rest):
            reason, base_s = rest
            _, rests = self._rests.counts(now)
            self._rests.add(0, 1, now)
            until = now + min(MOST_REST_S, base_s * 2 ** round(rests))
            self.ban = Ban(reason, now, until, rest=True)

    def strike(self, cause: tuple[str, float], now: float) -> None:
        """A grave one: the longer of this quarantine and the one that runs."""
        reason, base_s = cause
        _, strikes = self._strikes.counts(now)
        self._strikes.add(0, 1, now)
        until = now + min(MOST_S, base_s * 2 ** min(8, round(strikes)))
        if self.ban is None or self.ban.rest or self.ban.until < until:
            self.ban = Ban(reason, now, until)

    def ended(self, now: float) -> Ban | None:
        """The quarantine that has ended since the last call, once."""
        ban = self.ban
        if ban is None or ban.until > now or math.isinf(ban.until):
            return None
        self.ban = None
        return ban
