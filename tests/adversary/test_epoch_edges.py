"""The edges of onion-key epochs: clients with wrong clocks, clocks that are set, old keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.circuit.key_keeper import KeyKeeper
from engine.circuit.onion_keys import CLOCK_SKEW_S, LIFE_S, ROTATE_EVERY_S, OnionKeys
from engine.circuit.steady_clock import SteadyClock
from engine.crypto.hop import ClientHop, server_hop
from engine.errors import HandshakeError
from engine.wire.advert import OnionKey

pytestmark = pytest.mark.trio
NODE = bytes(32)
START = 1_800_000_000.0
TICK = 300.0


@dataclass
class World:
    """A relay over days of virtual time; its wall clock may be set by an adversary (or by NTP)."""

    home: Path
    wall: float = START
    elapsed: float = 0.0
    saved: bytes | None = None
    erased: set[bytes] = field(default_factory=set)
    keeper: KeyKeeper = field(init=False)

    async def start(self) -> None:
        """Start (again) without a clean end, on the same boot."""

        async def save(data: bytes) -> None:
            self.saved = data

        clock = SteadyClock(lambda: self.wall, lambda: self.elapsed)
        self.keeper = await KeyKeeper.open(
            self.home, self.saved, bytes(32), save, clock=clock, boot=b"b" * 16
        )

    async def run(self, seconds: float) -> None:
        """Let time pass, a tick of the keeper every five minutes."""
        for _ in range(int(seconds / TICK)):
            self.wall += TICK
            self.elapsed += TICK
            await self.keeper.tick()

    def advert(self) -> tuple[OnionKey, ...]:
        """The keys as the relay publishes them now."""
        return self.keeper.keys.adverts()

    def answer(self, payload: bytes) -> None:
        """Have the relay answer a CREATE. Raises HandshakeError."""
        server_hop(payload, NODE, self.keeper.keys.private_keys(), self.keeper.replays)


def create(advert: tuple[OnionKey, ...], client_now: float) -> bytes:
    """A client's CREATE by the newest key that is valid by its own clock."""
    valid = [key for key in advert if key.valid_at(int(client_now))]
    return ClientHop.start(1, NODE, max(valid, key=lambda key: key.not_before).public)[1]


@pytest.mark.parametrize("skew", [-CLOCK_SKEW_S, 0, CLOCK_SKEW_S])
async def test_clients_within_ten_minutes_are_served_at_every_moment(
    tmp_path: Path, skew: int
) -> None:
    """Pass: over four epochs, at every tick, a client whose clock is wrong by `skew` and whose
    advert is fresh or up to eleven hours old finds a key and is answered."""
    world = World(tmp_path)
    await world.start()
    adverts = [world.advert()]
    for _ in range(4 * ROTATE_EVERY_S // int(TICK)):
        await world.run(TICK)
        adverts = [*adverts[-11 * 12 :], world.advert()]
        for advert in (adverts[0], adverts[-1]):
            world.answer(create(advert, world.wall + skew))


async def test_keys_live_a_day_and_are_gone_with_their_replays(tmp_path: Path) -> None:
    """Pass: a CREATE recorded in one epoch is refused as a replay while its key lives and as
    meant for an old key after; at most two keys are ever served; nothing of the dead one is left
    in the store, the cache or on the disk."""
    world = World(tmp_path)
    await world.start()
    key = world.advert()[0].public
    recorded = create(world.advert(), world.wall)
    world.answer(recorded)
    for _ in range(LIFE_S // 3_600):
        with pytest.raises(HandshakeError, match="replayed"):
            world.answer(recorded)
        await world.run(3_600)
        assert len(world.advert()) <= 2
    await world.run(3_600)
    with pytest.raises(HandshakeError, match="old onion key"):
        world.answer(recorded)
    assert world.keeper.replays.count(key) == 0
    assert len(list((tmp_path / "replays").glob("*.log"))) == 2
    assert world.saved is not None
    assert key not in {k.public for k in OnionKeys(world.saved, int(world.wall)).adverts()}


@pytest.mark.parametrize("step", [-400 * 86_400.0, -7_200.0, 7_200.0, 86_400.0, 400 * 86_400.0])
async def test_a_clock_that_is_set_wrong_for_a_while_costs_no_key(
    tmp_path: Path, step: float
) -> None:
    """Pass: the wall clock is wrong by `step` for twenty minutes and put right: every key that was
    served is served, none was made, and clients with right clocks are answered throughout."""
    world = World(tmp_path)
    await world.start()
    await world.run(7_200)
    before = world.advert()
    world.wall += step
    for _ in range(4):
        await world.run(TICK)
        world.answer(create(world.advert(), world.wall - step))
    world.wall -= step
    await world.run(TICK)
    assert world.advert() == before


async def test_a_right_clock_after_a_wrong_one_is_believed_in_the_end(tmp_path: Path) -> None:
    """Pass: a machine that started without a battery clock in 1970 serves clients of today within
    an hour of learning the time."""
    world = World(tmp_path, wall=1_000.0)
    await world.start()
    await world.run(600)
    world.wall = START
    await world.run(3_600)
    world.answer(create(world.advert(), world.wall))


async def test_a_restart_under_a_clock_that_is_behind_keeps_the_keys(tmp_path: Path) -> None:
    """Pass: a relay that is restarted with its clock a few hours slow serves the key its advert
    names and makes no other; when the clock is right again life goes on."""
    world = World(tmp_path)
    await world.start()
    await world.run(6 * 3_600)
    advert = world.advert()
    world.wall -= 7 * 3_600
    await world.start()
    assert world.advert() == advert
    world.answer(create(advert, world.wall + 7 * 3_600))
    world.wall += 7 * 3_600
    await world.run(2 * ROTATE_EVERY_S)
    world.answer(create(world.advert(), world.wall))


async def test_a_key_from_the_far_future_is_not_served_for_ever(tmp_path: Path) -> None:
    """Pass: keys made while the clock stood a year ahead are dropped at the next start with a
    right clock: a key lives for a day of real time, not for a year."""
    world = World(tmp_path, wall=START + 365 * 86_400.0)
    await world.start()
    ahead = world.advert()
    world.wall = START
    await world.start()
    assert not {k.public for k in ahead} & {k.public for k in world.advert()}
    world.answer(create(world.advert(), world.wall))


async def test_closing_forgets_keys_and_replays(tmp_path: Path) -> None:
    """Pass: after a clean end no key and no entry is left in memory, and the next start, even
    after another boot, refuses what was recorded."""
    world = World(tmp_path)
    await world.start()
    recorded = create(world.advert(), world.wall)
    world.answer(recorded)
    key = world.advert()[0].public
    world.keeper.close()
    assert not world.keeper.keys.private_keys()
    assert world.keeper.replays.count(key) == 0
    await world.start()
    with pytest.raises(HandshakeError, match="replayed"):
        world.answer(recorded)
