"""What fits into a model's context: a function of the branch alone, kind to caches."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Peer2PromptError
from engine.market.weight import IMAGE_BYTES
from engine.session.context import FRAME_BYTES, MAX_BODY_BYTES, MAX_MESSAGES, Load, Room, fit
from engine.session.prompt import sent_of
from engine.wire.quote import ModelOffer
from tests.helpers.chat_world import ChatWorld, play
from tests.helpers.market_world import MODEL
from wallet.store import Measured


def said(*sizes: int) -> list[Measured]:
    """Questions and answers in turn."""
    roles = ("user", "assistant")
    return [Measured(n + 1, roles[n % 2], "", size) for n, size in enumerate(sizes)]


SIZES = st.lists(st.integers(0, 400), min_size=1, max_size=60)


@given(SIZES, st.integers(200, 5_000))
def test_a_question_that_fits_alone_fits_with_what_is_kept(sizes: list[int], metered: int) -> None:
    branch = said(*sizes)
    branch += said(10) if branch[-1].role != "user" else []
    room = Room(metered)
    found = fit(branch, room)
    kept = branch[found.start :]
    assert kept[-1] is branch[-1]
    if Load.of(branch[-1]).fits(room):
        assert found.load.fits(room)
    assert found.load == sum((Load.of(one) for one in kept), Load())
    assert found.whole == sum((Load.of(one) for one in branch), Load()).fits(room)
    assert not found.start or kept[0].role == "user"


@given(SIZES, st.integers(500, 3_000))
def test_between_two_cuts_every_question_begins_like_the_one_before(
    sizes: list[int], metered: int
) -> None:
    """The start moves seldom: after a cut there is half of the room until the next."""
    branch, room = said(*sizes), Room(metered)
    starts = [fit(branch[: n + 1], room).start for n in range(0, len(branch), 2)]
    assert starts == sorted(starts)
    for earlier, later in itertools.pairwise(starts):
        if earlier != later:
            cut = fit(branch[: 2 * starts.index(later) + 1], room)
            alone = cut.start == 2 * starts.index(later)
            assert alone or cut.load.fits(room, 2)


def test_half_of_the_room_is_freed_at_a_time() -> None:
    each = 100 - FRAME_BYTES
    room = Room(1_000)
    starts = [fit(said(*[each] * n), room).start for n in range(1, 40, 2)]
    assert starts[:5] == [0] * 5
    assert starts[5:8] == [6, 6, 6]
    assert len(set(starts)) < len(starts) / 2


def test_pictures_weigh_what_the_meter_makes_of_them() -> None:
    picture = Measured(1, "user", "", 10, 300_000, 1, 300_000)
    assert Load.of(picture).metered == 10 + FRAME_BYTES + IMAGE_BYTES
    assert Load.of(picture).sent == 10 + FRAME_BYTES + 400_000
    assert not fit([picture, picture, picture], Room(MAX_BODY_BYTES)).whole


def test_the_answer_has_its_share_of_the_context() -> None:
    assert Room.of(0, 1_000) == Room(MAX_BODY_BYTES, 0)
    assert Room.of(8_000, 1_000) == Room(28_000, 8_000)
    assert Room.of(8_000, 100_000) == Room(16_000, 8_000)
    assert fit(said(*[1] * (MAX_MESSAGES + 3)), Room(MAX_BODY_BYTES)).start > 0


def test_what_broke_off_is_not_sent() -> None:
    branch = [
        Measured(1, "user", "", 3),
        Measured(2, "assistant", "cut", 3),
        Measured(3, "assistant", "done", 0),
        Measured(4, "assistant", "cancelled", 5),
        Measured(5, "user", "", 3),
    ]
    assert [one.message_id for one in sent_of(branch)] == [1, 4, 5]


SMALL = ModelOffer(MODEL, 1_000_000, 10_000_000, 100, 1_000_000, 10_000_000, context=400)


def test_a_full_context_is_refused_or_trimmed_as_the_user_says(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        await world.call("ask.estimate", text="x")
        chat = (await world.ask("a" * 500))["session_id"]
        shown = await world.call("sessions.show", session_id=chat)
        assert shown["context"]["bound"] == 400
        spent = world.wallet.prepared
        with pytest.raises(Peer2PromptError, match="longer than the model takes") as caught:
            await world.call("ask", text="b" * 700, session_id=chat)
        assert caught.value.code == "context_full"
        assert "nothing was paid" in caught.value.kept
        assert world.wallet.prepared == spent
        assert len(await world.texts(chat)) == 2
        guess = await world.call("ask.estimate", text="b" * 700, session_id=chat)
        assert (guess["fits"], guess["context"]["left_out"]) == (False, 2)

        done = await world.ask("b" * 700, session_id=chat, trim=True)
        assert "result" in done
        assert [m["content"] for m in world.ghosts[0].asked[-1]] == ["b" * 700]
        await world.call("sessions.set", session_id=chat, full="trim")
        assert "result" in await world.ask("c" * 900, session_id=chat)
        with pytest.raises(Peer2PromptError, match="question alone"):
            await world.call("ask", text="d" * 2_000, session_id=chat)

    play(tmp_path, act, models=(SMALL,))


def test_a_refused_first_question_leaves_no_chat(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        await trio.sleep(1)
        await world.chats.desk.offers.models({})
        with pytest.raises(Peer2PromptError, match="question alone"):
            await world.call("ask", text="d" * 2_000)
        assert await world.call("sessions.list") == []

    play(tmp_path, act, models=(SMALL,))


def test_an_estimate_covers_what_the_answer_then_costs(tmp_path: Path) -> None:
    async def act(world: ChatWorld) -> None:
        chat = (await world.ask("What is an onion?"))["session_id"]
        for text in ("Why?", "And a leek? " * 30):
            guess = await world.call("ask.estimate", text=text, session_id=chat)
            spent = world.wallet.prepared
            assert guess["model"] == MODEL
            assert guess["ghost"] == world.ghosts[0].id.hex()[:8]
            assert 0 < guess["least_msat"] <= guess["likely_msat"] <= guess["most_msat"]
            assert world.wallet.prepared == spent
            done = await world.ask(text, session_id=chat)
            assert done["result"]["cost_msat"] <= guess["most_msat"]
            assert done["result"]["quoted_msat"] <= guess["most_msat"] * 1.05
        capped = await world.call("ask.estimate", text="Why?", session_id=chat, max_tokens=3)
        assert capped["most_msat"] < guess["most_msat"]

    play(tmp_path, act)
