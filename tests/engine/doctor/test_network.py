"""What the doctor says of a running node's network, in every state; a real mint that is stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from engine.control.protocol.circuits import RelayTraffic, Traffic
from engine.control.protocol.ghost import GhostStatus, GhostUpstream
from engine.control.protocol.network import (
    DirectoryInfo,
    GuardInfo,
    Network,
    PathInfo,
    ReachInfo,
    ViewInfo,
)
from engine.control.protocol.node import Status
from engine.control.protocol.overview import Finding
from engine.control.protocol.wallet import MintInfo
from engine.doctor.findings import FAIL, OK, SKIP, WARN, Check, examine, good
from engine.doctor.network import (
    Rounds,
    clock_of,
    ghost_of,
    guards_of,
    known_of,
    mints_of,
    network_checks,
    reach_of,
)
from engine.errors import ConfigError
from engine.overview import Seen
from tests.helpers.mint import RealMint, mint_available
from tests.wallet.support import a_wallet
from wallet.health import Health

pytestmark = pytest.mark.trio
HTTP = "http://mint.example"


def seen(
    status: Status | None = None,
    network: Network | None = None,
    relay: RelayTraffic | None = None,
    ghost: GhostStatus | None = None,
) -> Seen:
    return Seen(
        status or Status(), Traffic(relay=relay), network or Network(), None, None, ghost, None
    )


def mint(off_s: float | None = 0.0, **fields: object) -> MintInfo:
    return MintInfo(url=HTTP, clock_off_s=off_s, **fields)  # type: ignore[arg-type]


async def test_the_clock() -> None:
    cases: list[tuple[str, str, float, Sequence[MintInfo]]] = [
        (OK, "no mint has told", 0, []),
        (OK, "2 s ahead of 1 mint", 3, [mint(2)]),
        (OK, "1 s behind 2 mints", 0, [mint(-1), mint(-1), mint(None)]),
        (WARN, "7200 s behind 1 mint", 0, [mint(-7_200)]),  # one may lie
        (WARN, "90 s ahead of 2 mints", 0, [mint(90), mint(91), mint(None)]),
        (FAIL, "7200 s ahead of 2 mints", 0, [mint(7_200), mint(7_200)]),
        (FAIL, "was set by 7200 s", -7_200, []),
    ]
    for state, words, off_s, mints in cases:
        found = clock_of("", off_s, mints)
        assert (found.state, words in found.found) == (state, True), found
    found = clock_of("This computer's clock seems to be 2 h slow.", 0, [mint()])
    assert (found.state, "set-ntp" in found.advice) == (FAIL, True)


async def test_the_network() -> None:
    assert known_of(seen()).state == FAIL
    assert known_of(seen(Status(roles=["relay"], relays_known=1))).state == FAIL, "itself alone"
    good_status = Status(roles=["relay"], relays_known=9)
    assert known_of(seen(good_status)).state == OK
    for directory in (
        DirectoryInfo(errors=["line 3 is not an advert"]),
        DirectoryInfo(view=ViewInfo(sources=3, dissenting=["x1"])),
    ):
        assert known_of(seen(good_status, Network(directory=directory))).state == WARN


async def test_the_guards() -> None:
    def guards(*reachable: bool, refusals: Sequence[str] = ()) -> Network:
        sample = [GuardInfo(id="a", state="primary", reachable=one) for one in reachable]
        return Network(paths=PathInfo(guards=sample, refusals=list(refusals)))

    assert guards_of(Network()).state == SKIP
    assert guards_of(guards()).state == WARN
    assert guards_of(guards(True, True)).state == OK
    assert guards_of(guards(True, False)).state == WARN
    found = guards_of(guards(False, False))
    assert (found.state, "offline" in found.means) == (FAIL, True)
    refused = guards_of(guards(True, refusals=["Two more relays are needed."]))
    assert (refused.state, "Two more relays" in refused.found) == (WARN, True)


async def test_mints() -> None:
    assert mints_of([]).state == SKIP
    assert mints_of([mint()]).state == OK
    down = mint(healthy=False, last_error="it did not answer", available_sat=21)
    found = mints_of([down])
    assert (found.state, "21 sat" in found.means) == (FAIL, True)
    assert mints_of([down, mint()]).state == WARN
    assert mints_of([mint(warnings=["It has no keys."])]).state == WARN
    assert mints_of([], ["http://other.example"]).state == FAIL
    assert mints_of([mint()], ["http://other.example", HTTP]).state == WARN


async def test_reach() -> None:
    def reach(state: str) -> Seen:
        info = ReachInfo(address="8.8.8.8:9001", state=state)
        return seen(network=Network(directory=DirectoryInfo(reach=info)))

    assert reach_of(seen()).state == SKIP
    for state, expected in (
        ("reachable", OK),
        ("set", OK),
        ("unknown", WARN),
        ("unreachable", FAIL),
    ):
        assert reach_of(reach(state)).state == expected
    moved = ReachInfo(address="8.8.8.8:9001", state="reachable", seen="9.9.9.9")
    found = reach_of(seen(network=Network(directory=DirectoryInfo(reach=moved))))
    assert (found.state, "at 9.9.9.9" in found.found) == (FAIL, True)


async def test_the_ghost() -> None:
    well, ill = GhostUpstream(name="a"), GhostUpstream(name="b", failure="timeout")
    assert ghost_of(None).state == SKIP
    assert ghost_of(GhostStatus(upstreams=[well])).state == OK
    assert ghost_of(GhostStatus(upstreams=[well, ill])).state == WARN
    assert ghost_of(GhostStatus(upstreams=[ill])).state == FAIL
    assert ghost_of(GhostStatus(upstreams=[well], paused=True)).state == WARN
    assert ghost_of(GhostStatus(upstreams=[well], warnings=["Nobody judged."])).state == WARN
    assert ghost_of(GhostStatus(upstreams=[well], key_refused=["m"])).state == FAIL


@pytest.mark.skipif(not mint_available(), reason="no .venv-mint")
async def test_a_real_mint_that_is_stopped(tmp_path: Path) -> None:
    """It is asked, tells the time, and is missed when it is gone; without asking nothing is."""

    async def look() -> Seen:
        await trio.lowlevel.checkpoint()
        return seen()

    async def state_of(name: str, *, ask: bool) -> Finding:
        rounds = Rounds(look, lambda: [wallet], ask=ask)
        checks = network_checks(rounds, lambda: "", [])
        found = await examine([check for check in checks if check.name == name], running=True)
        return found.findings[0]

    async with a_wallet(tmp_path, "w") as wallet:
        with RealMint() as real:
            await wallet.add_mint(real.url)
            assert (await state_of("mints", ask=True)).state == OK
            clock = await state_of("clock", ask=True)
            assert (clock.state, "1 mint" in clock.found) == (OK, True)
        assert (await state_of("mints", ask=False)).state == OK, "as it was last seen"
        gone = await state_of("mints", ask=True)
        assert (gone.state, "0 of 1 mint answered" in gone.found) == (FAIL, True)


async def test_checks_run_side_by_side_within_their_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hangs() -> Finding:
        await trio.sleep_forever()
        return good("never")

    async def wrong() -> Finding:
        raise ConfigError("The file is wrong.", hint="Mend it.")

    async def broken() -> Finding:
        raise RuntimeError("quuxleekmark")

    async def fine() -> Finding:
        await trio.sleep(5)
        return good("fine")

    checks = [
        Check("a", hangs, 20),
        Check("b", hangs, 20),
        Check("c", wrong),
        Check("d", broken),
        Check("e", fine),
    ]
    found = await examine(checks, running=True)
    assert trio.current_time() == 20
    assert [(one.check, one.state) for one in found.findings] == [
        ("a", WARN),
        ("b", WARN),
        ("c", FAIL),
        ("d", WARN),
        ("e", OK),
    ]
    assert found.worst == FAIL
    assert found.findings[2].advice == "Mend it."
    assert "RuntimeError" in found.findings[3].found
    assert "quuxleekmark" not in repr(found)
    assert autojump_clock


@pytest.mark.parametrize(
    ("header", "off_s"),
    [
        ("Fri, 15 Jan 2027 08:00:00 GMT", 30.0),
        ("", None),
        ("yesterday", None),
        ("Fri, 99 Jan 2027 08:00:00 GMT", None),
        ("Fri, 15 Jan 99999999 08:00:00 GMT", None),
        ("1" * 5_000, None),
    ],
)
async def test_the_date_of_an_answer(header: str, off_s: float | None) -> None:
    health = Health()
    began = time.process_time()
    health.dated(header, 1_800_000_030.0)
    assert time.process_time() - began < 5
    assert health.clock_off_s == off_s
