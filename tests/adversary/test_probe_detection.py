"""A ghost that wants to know which sessions test it: everything it sees of them but the text.

The program has chats with a ghost over a whole network, and asks it test questions beside them.
The ghost notes each message, its time, its fields, the payments; a classifier trained on labelled
halves of these sessions must do no better on the rest than by chance.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import trio

from engine.circuit.shape_menu import ShapeMenu
from engine.session.opening import Pinned
from engine.session.pinned import SessionDesk
from engine.session.preferences import Preferences
from engine.session.prober import Prober
from engine.session.purse import ProbePurse
from engine.wire.shape import ShapeClass, ShapePlan
from tests.helpers.ghost_view import SessionView, Spy, guess_right
from tests.helpers.kill_world import (
    ASK,
    Client,
    KillWorld,
    kill_world,
)
from tests.helpers.virtual_time import threads_inline, virtual_clock

LEARNING = 5  # chats before the first probe
FOUND_OUT = 0.85  # chance is 0.5; of 22 sessions, more than three deviations from it
FOUND_OUT_IN_A_HURRY = 0.75  # of twelve sessions nine
TURNS = 0.35  # the chance that this user asks once more


def prober_of(world: KillWorld, client: Client, seed: int, kind: type[Prober] = Prober) -> Prober:
    desk = client.chats.desk
    purse = ProbePurse(world.store.settings, 100_000, lambda: 0.0)
    return kind(
        desk, purse, ShapeMenu(ShapeClass.BULK), client.chats.composer.defaults, rng=Random(seed)
    )


async def chat_once(client: Client, rng: Random) -> None:
    """A user: opens a chat, thinks, asks, perhaps asks again."""
    await trio.sleep(rng.expovariate(1 / 25))
    text = "What " + "is " * rng.randint(5, 50) + "it?"
    started = await client.chats.ask({**ASK, "text": text})
    turns = 0
    while True:
        await until_answered(client)
        turns += 1
        if turns == 3 or rng.random() > TURNS:
            break
        await trio.sleep(min(75, rng.expovariate(1 / 30)))
        await client.chats.ask({**ASK, "text": text, "session_id": started.session_id})


async def until_answered(client: Client) -> None:
    with trio.fail_after(300):
        while client.chats._asks:
            await trio.sleep(0.5)


async def sessions_of(
    tmp_path: Path, kind: type[Prober], sessions: int
) -> tuple[list[SessionView], list[SessionView]]:
    """(chats, probes) as the ghost saw them: a user who goes on as ever, and probes beside."""
    rng = Random(7)
    async with kill_world(tmp_path) as world:
        world.wallet.balance_sat = 100_000
        spy = Spy(world.ghost.service)
        client = await world.new_client()
        desk = client.chats.desk
        await desk.warm()
        prober = prober_of(world, client, 8, kind)
        # This ghost knows no answers; only its view matters here.
        desk.witness.reputation.trust(world.ghost.node.identity.node_id)
        probing = Marked(desk)

        async def user() -> None:
            for number in range(sessions + LEARNING):
                if number == LEARNING:
                    nursery.start_soon(probe_on)
                await trio.sleep(rng.expovariate(1 / 120))
                await chat_once(client, rng)

        async def probe_on() -> None:
            for _ in range(sessions):
                await trio.sleep(rng.uniform(20, 140))
                await prober.probe()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(user)
        await trio.sleep(150)  # all is settled and left
        await client.chats.close()
        asked = [view for view in spy.sessions.items() if "Ask" in view[1].kinds]
        client.kill()
        chats = [view for name, view in asked if name not in probing.names]
        return chats[LEARNING:], [view for name, view in asked if name in probing.names]


class Marked:
    """Knows which sessions are for test questions, to mark the classifier's guesses."""

    def __init__(self, desk: SessionDesk) -> None:
        self.names: set[bytes] = set()
        self._open = desk.open_apart
        desk.open_apart = self.open  # type: ignore[method-assign]

    async def open(self, name: str, want: Preferences, plan: ShapePlan) -> Pinned:
        pinned = await self._open(name, want, plan)
        assert pinned.session._saved is not None
        self.names.add(pinned.session._saved.session)
        return pinned


def see(
    tmp_path: Path, kind: type[Prober], sessions: int
) -> tuple[list[SessionView], list[SessionView]]:
    with threads_inline():
        return trio.run(sessions_of, tmp_path, kind, sessions, clock=virtual_clock())


def test_probes_look_like_chats_to_the_ghost(tmp_path: Path) -> None:
    chats, probes = see(tmp_path, Prober, 11)
    assert min(len(chats), len(probes)) >= 9
    usual = {repr(form[:3] + form[4:]) for view in chats for form in view.forms}
    assert {repr(form[:3] + form[4:]) for view in probes for form in view.forms} == usual
    assert {tuple(view.mailed) for view in probes if len(view.forms) == 1} <= {
        tuple(view.mailed) for view in chats
    }
    right = guess_right([one.features() for one in chats], [one.features() for one in probes])
    print(f"a classifier gets {right:.2f} right")
    assert right < FOUND_OUT


class HastyProber(Prober):
    """The control: it asks for a short answer, and leaves at once."""

    async def probe(self) -> None:
        desk = self._desk
        pinned = await desk.open_apart("probe", desk.chooser.want(None), self._shapes.default)
        messages = [{"role": "user", "content": "What is 2 + 2?"}]
        assert pinned.quote is not None
        desk.take_apart("probe")
        await pinned.session.ask(messages, pinned.quote.models[0].name, {})
        await desk.let_go("probe")


def test_a_prober_that_is_in_a_hurry_is_found_out(tmp_path: Path) -> None:
    chats, probes = see(tmp_path, HastyProber, 6)
    right = guess_right([one.features() for one in chats], [one.features() for one in probes])
    assert right > FOUND_OUT_IN_A_HURRY
