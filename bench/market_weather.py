"""The mint of the market simulation: the tests' mint in memory, and the weather it stands in.

Requests take time and fail in every way a mint or the way to it can fail: lost before and after
they are carried out, refused with 500, answered late, wrongly signed, or down for a while.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx
import trio

from tests.helpers.mint_proxy import corrupt_dleq, corrupt_point, wrong_amounts
from tests.wallet.fake_mint import FakeMint, Json, Keys

LIES = (corrupt_point, corrupt_dleq, wrong_amounts)


@dataclass(frozen=True, slots=True)
class Climate:
    """Chances per request, and how long a request and an outage take, in seconds."""

    lost_request: float = 0.0
    lost_answer: float = 0.0
    busy: float = 0.0
    late: float = 0.0
    lie: float = 0.0
    outage: float = 0.0
    outage_s: float = 20.0
    slow_s: float = 0.05


CLEAR = Climate()
CLIMATES = (
    CLEAR,
    CLEAR,
    Climate(lost_request=0.03, lost_answer=0.03, busy=0.03),
    Climate(lost_answer=0.1, late=0.03),
    Climate(lie=0.05, busy=0.05),
    Climate(outage=0.01, outage_s=60.0),
    Climate(lost_request=0.05, lost_answer=0.05, busy=0.05, late=0.02, lie=0.02, outage=0.005),
    Climate(slow_s=3.0, lost_answer=0.02),
)


class Weather(httpx.AsyncBaseTransport):
    """A mint and the way to it. Its faults begin with `set_in` and end with `calm`."""

    def __init__(self, rng: random.Random, name: str, fee_ppk: int) -> None:
        """`name` makes its keys other than those of any other mint."""
        self.mint = FakeMint(fee_ppk)
        self.mint.keysets = [Keys(name, fee_ppk)]
        self.mint.faults = self._fault
        self.mint.tamper = self._tamper
        self._rng = rng
        self._climate = CLEAR
        self._down_until = 0.0

    def set_in(self, climate: Climate) -> None:
        self._climate = climate

    def calm(self) -> None:
        self._climate = CLEAR
        self._down_until = 0.0
        self.mint.deliver()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(self._rng.uniform(0.2, 1.0) * self._climate.slow_s)
        if self.mint.late and self._rng.random() < 0.3:
            self.mint.deliver()
        return await self.mint.handle_async_request(request)

    def _fault(self, _path: str) -> str:
        climate, now = self._climate, trio.current_time()
        if now < self._down_until:
            return "lose_request"
        chances = {
            "down": climate.outage,
            "lose_request": climate.lost_request,
            "lose_answer": climate.lost_answer,
            "busy": climate.busy,
            "late": climate.late,
        }
        clear = 1 - sum(chances.values())
        fault = self._rng.choices(("", *chances), (clear, *chances.values()))[0]
        if fault == "down":
            self._down_until = now + self._rng.uniform(0.2, 1.0) * climate.outage_s
            return "lose_request"
        return fault

    def _tamper(self, _path: str, answer: Json) -> Json:
        if self._rng.random() < self._climate.lie:
            return self._rng.choice(LIES)(answer)  # type: ignore[no-any-return]
        return answer
