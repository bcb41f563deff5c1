"""When sessions are settled and spares opened: at moments that tell nothing of an answer's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

from engine.circuit.shape_menu import ShapeMenu
from engine.session.opening import Surroundings
from engine.session.pinned import SETTLE_IDLE_S, SPARE_AFTER_S, Pinned, SessionDesk
from engine.session.preferences import Preferences
from engine.wire.shape import ShapeClass, ShapePlan

TEXT = ShapeMenu(ShapeClass.TEXT)
ALWAYS_ON = ShapeMenu(ShapeClass.ALWAYS_ON)
CHUNK_MSAT, CAP_MSAT = 16_000, 200_000


@dataclass
class FakeRoute:
    """In a run until `run_ends_at`."""

    plan: ShapePlan
    run_ends_at: float = 0.0
    ghost: bytes = bytes(32)
    retired: bool = False

    @property
    def in_run(self) -> bool:
        return trio.current_time() < self.run_ends_at

    async def wait_quiet(self) -> None:
        await trio.sleep_until(max(self.run_ends_at, trio.current_time()))

    def retire(self) -> None:
        self.retired = True


@dataclass
class FakeSession:
    """Notes when it was settled."""

    credit_msat: int = 9_000
    settled_at: list[float] = field(default_factory=list)

    async def settle(self) -> int:
        self.settled_at.append(trio.current_time())
        self.credit_msat = 0
        return 9

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def pinned_on(route: FakeRoute) -> Pinned:
    quote = SimpleNamespace(
        cap_msat=CAP_MSAT,
        chunk_msat=CHUNK_MSAT,
        models=(SimpleNamespace(name="small", features=()),),
    )
    return Pinned(cast("Any", FakeSession()), cast("Any", route), 0.0, quote=cast("Any", quote))


def desk_with(menu: ShapeMenu, balance_sat: int, warmed_at: list[float]) -> SessionDesk:
    class Wallet:
        async def balances(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(available_sat=balance_sat)]

    bus = SimpleNamespace(publish=lambda _name, _data: None)
    around = Surroundings(
        cast("Any", SimpleNamespace(secrets=None, evidence=None, receipts=None)),
        cast("Any", Wallet()),
        cast("Any", None),
        cast("Any", None),
        menu,
        cast("Any", bus),
    )
    desk = SessionDesk(around)

    async def warm() -> None:
        warmed_at.append(trio.current_time())

    desk.warm = warm  # type: ignore[method-assign]
    return desk


def virtual(main: Callable[[], Any]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def spare_opened_at(menu: ShapeMenu, balance_sat: int, answer_s: float) -> list[float]:
    """When the next spare is opened beside a question at 0 s; the run ends at 32 s."""
    warmed_at: list[float] = []

    async def main() -> None:
        desk = desk_with(menu, balance_sat, warmed_at)
        pinned = pinned_on(FakeRoute(menu.default, run_ends_at=32.0))
        pinned.asking = True
        async with trio.open_nursery() as nursery:
            desk._nursery = nursery
            desk.warm_beside(pinned)
            await trio.sleep(answer_s)
            pinned.asking = False

    virtual(main)
    return warmed_at


@pytest.mark.parametrize("answer_s", [0.5, 9.0, 30.0])
def test_a_spare_is_opened_beside_the_question_or_after_the_run(answer_s: float) -> None:
    assert spare_opened_at(TEXT, 10_000, answer_s) == [SPARE_AFTER_S]
    assert spare_opened_at(TEXT, 10, answer_s) == [32.0]


def test_on_a_line_that_is_always_on_no_spare_is_opened() -> None:
    assert spare_opened_at(ALWAYS_ON, 10_000, 5.0) == []


def settled_at(menu: ShapeMenu, answer_s: float) -> tuple[list[float], FakeRoute]:
    """When a chat that rests is settled; its run ends at 32 s, its answer at `answer_s`."""
    route = FakeRoute(menu.default, run_ends_at=0.0 if menu.default.always_on else 32.0)
    sessions: list[FakeSession] = []

    async def main() -> None:
        pinned = pinned_on(route)
        sessions.append(cast("FakeSession", pinned.session))
        desk = desk_with(menu, 10, [])
        desk._pinned["chat"] = pinned
        pinned.asking = True
        with trio.move_on_after(600):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(desk._settle_idle)
                await trio.sleep(answer_s)
                pinned.asking, pinned.last_used = False, trio.current_time()

    virtual(main)
    return sessions[0].settled_at, route


def test_a_chat_is_settled_by_the_end_of_its_run_not_of_its_answer() -> None:
    times = [settled_at(TEXT, answer_s) for answer_s in (1.0, 9.0, 31.0)]
    assert len({at for (at,), _route in times}) == 1
    assert times[0][0][0] > 32.0 + SETTLE_IDLE_S - SETTLE_IDLE_S / 6
    assert all(route.retired for _at, route in times)


def test_an_always_on_circuit_gives_the_credit_back_and_stays() -> None:
    (at, *more), route = settled_at(ALWAYS_ON, 5.0)
    assert at > SETTLE_IDLE_S
    assert not more
    assert not route.retired


def test_no_more_than_two_always_on_sessions_are_kept() -> None:
    left: list[Pinned] = []

    async def main() -> None:
        desk = desk_with(ALWAYS_ON, 10, [])

        async def leave(pinned: Pinned) -> None:
            left.append(pinned)

        desk.leave = leave  # type: ignore[method-assign]
        sessions = [pinned_on(FakeRoute(ALWAYS_ON.default)) for _ in range(4)]
        async with trio.open_nursery() as nursery:
            desk._nursery = nursery
            for number, pinned in enumerate(sessions):
                pinned.last_used = float(number)
                desk._spare = pinned
                await desk.session_for(
                    f"chat {number}", Preferences(), ALWAYS_ON.default, lambda: None
                )
        assert [pinned.last_used for pinned in left] == [0.0, 1.0]

    virtual(main)
