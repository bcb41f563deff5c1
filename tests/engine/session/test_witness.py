"""What the program sees of ghosts reaches opinions, store and evidence; from real sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import pytest_trio
import trio

from engine.directory.relays import RelaySet
from engine.errors import (
    ConfigError,
    ProtocolError,
    ProviderError,
    WireError,
)
from engine.market.ghost_answer import GhostAnswer
from engine.market.observations import Seen
from engine.market.overbilled import Overbilled
from engine.session.client import AskSession
from engine.session.ghostbook import GhostBook
from engine.session.market_settings import MarketSettings
from engine.session.witness import Witness
from engine.wire.evidence import CHAIN, OVERBILL, format_evidence
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, NOW, World, world
from tests.wallet.support import open_store
from wallet.store import Store

pytestmark = pytest.mark.trio
GHOST = b"\x01" * 32


@pytest_trio.trio_fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store(tmp_path) as opened:
        yield opened


def witness_of(store: Store) -> Witness:
    return Witness(store, now=lambda: NOW)


def asker(w: World, store: Store, witness: Witness) -> AskSession:
    return AskSession(
        w.open_stream,
        w.payer,
        store,
        now=lambda: NOW,
        on_outcome=partial(witness.ended, w.identity.node_id),
    )


def book(witness: Witness, *, share: bool = False) -> GhostBook:
    relays = cast("RelaySet", SimpleNamespace(with_role=lambda _role: []))
    return GhostBook(witness, relays, MarketSettings(share_evidence=share))


async def test_an_answer_is_noted_with_its_measures_and_its_quote(store: Store) -> None:
    witness = witness_of(store)
    async with world() as w:
        await asker(w, store, witness).ask(HI, MODEL)
        ghost, quote = w.identity.node_id, w.ghost
    await witness.flush()
    (row,) = await store.evidence.observations()
    assert (row.ghost, row.seen, row.model) == (ghost, "answered", MODEL)
    assert row.price == 60_000
    assert row.at % 3_600 == 0
    assert quote is not None
    again = witness_of(store)
    await again.load()
    assert again.reputation.score(ghost, MODEL, NOW).answered == pytest.approx(1.0)
    assert not any(b"onion" in repr(part).encode() for part in await store.evidence.observations())


async def test_a_false_bill_is_refused_and_its_proof_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the ghost signed: anybody can check it, whoever shows it."""
    monkeypatch.setattr(GhostAnswer, "final_msat", lambda _self: 9_000)
    witness, mine = witness_of(store), book(witness_of(store), share=True)
    async with world() as w:
        with pytest.raises(Overbilled):
            await asker(w, store, witness).ask(HI, MODEL)
        ghost = w.identity.node_id
    await witness.flush()
    ban = witness.reputation.quarantined(ghost, NOW)
    assert ban is not None
    assert not ban.rest
    (piece,) = await store.evidence.pieces()
    assert (piece.ghost, piece.kind, piece.own) == (ghost, OVERBILL, True)
    file = await mine.export({})
    assert file.documents == 1
    with pytest.raises(ConfigError, match="do not let evidence out"):
        await book(witness).export({})

    async with await open_store(store.path.parent / "other") as other:
        stranger = witness_of(other)
        taken = await book(stranger).take_in({"data": file.data})
        assert (taken.new, taken.known, taken.unproven) == (1, 0, 0)
        taken = await book(stranger).take_in({"data": file.data})
        assert (taken.new, taken.known, taken.unproven) == (0, 1, 0)
        assert stranger.reputation.quarantined(ghost, NOW) is None, "others only raise a doubt"
        doubted = stranger.reputation.score(ghost, MODEL, NOW).honesty
        assert doubted < stranger.reputation.score(GHOST, MODEL, NOW).honesty
        assert await stranger.own_evidence() == [], "what was told is not told on"


async def test_a_broken_chain_of_receipts_proves_itself(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = witness_of(store)
    async with world() as w:
        session = asker(w, store, witness)
        await session.ask(HI, MODEL)
        monkeypatch.setattr("engine.market.ghost_receipts.receipt_hash", lambda _raw: b"x" * 32)
        await session.ask(HI, MODEL)
        with pytest.raises(ProtocolError):
            await session.ask(HI, MODEL)
    await witness.flush()
    assert {piece.kind for piece in await store.evidence.pieces()} == {CHAIN}
    counts = await store.evidence.counts()
    assert counts[w.identity.node_id] == {"answered": 2, "cheated": 1}


async def test_failures_of_the_provider_and_a_full_house_are_told_apart(store: Store) -> None:
    witness = witness_of(store)
    for kind, seen in (("overloaded", "busy"), ("broken_stream", "failed")):
        async with world(ScriptedBackend(fail_at=0, kind=kind)) as w:
            with pytest.raises(ProviderError):
                await asker(w, store, witness).ask(HI, MODEL)
        await witness.flush()
        counts = await store.evidence.counts()
        assert counts[w.identity.node_id] == {seen: 1}


async def test_a_word_told_to_one_ghost_is_known_again(store: Store) -> None:
    """A canary in any later answer blames the ghost it was told to."""
    witness = witness_of(store)
    await witness.tell_canary(GHOST, "Velmorastin")
    async with world(ScriptedBackend(["Ask ", "velmor", "astin, he knows."])) as w:
        await asker(w, store, witness).ask(HI, MODEL)
    ban = witness.reputation.quarantined(GHOST, NOW)
    assert ban is not None
    assert "came back" in ban.reason
    again = witness_of(store)
    await witness.flush()
    await again.load()
    assert again.reputation.quarantined(GHOST, NOW) is not None
    assert again.reputation.quarantined(w.identity.node_id, NOW) is None


async def test_marks_and_forgetting_outlive_the_process(store: Store) -> None:
    witness = witness_of(store)
    witness.note(GHOST, Seen.OVERBILLED)
    await witness.flush()
    mine = book(witness)
    for mark, banned in (("trust", False), ("quarantine", True), ("forget", False)):
        await mine.mark({"ghost": "0101", "mark": mark})
        again = witness_of(store)
        await again.load()
        for one in (witness, again):
            assert (one.reputation.quarantined(GHOST, NOW) is not None) is banned
    assert (await mine.ghosts({"ghost": ""})).ghosts == []
    for wrong in ({"ghost": "01", "mark": "trust"}, {"ghost": "ff", "mark": "trust"}):
        with pytest.raises(ConfigError):
            await mine.mark(wrong)


async def test_what_is_known_is_told(store: Store) -> None:
    witness = witness_of(store)
    witness.note(GHOST, Seen.ANSWERED, model="small", ttft_ms=800, rate=20)
    witness.note(b"\x02" * 32, Seen.CHEATED, model="small")
    told = await book(witness).ghosts({"ghost": ""})
    good, bad = told.ghosts
    assert (good.ghost, good.seen, good.newcomer) == ("01010101", {"answered": 1}, True)
    assert (good.models[0].latency_ms, good.models[0].tokens_per_s) == (800, 20)
    assert bad.quarantine is not None
    assert bad.quarantine.reason == "its receipt did not hold"
    (one,) = (await book(witness).ghosts({"ghost": "02"})).ghosts
    assert one == bad


async def test_evidence_that_proves_nothing_is_thrown_away(store: Store) -> None:
    from tests.engine.market.test_evidence import VECTORS

    witness = witness_of(store)
    documents = [bytes.fromhex(case["hex"]) for case in VECTORS["evidence"]]
    taken = await book(witness).take_in({"data": format_evidence(documents)})
    assert (taken.new, taken.unproven) == (3, 1)
    with pytest.raises(WireError):
        await book(witness).take_in({"data": "no evidence"})


async def test_notes_wait_for_a_slow_store_and_never_block(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.session.witness.QUEUE", 3)
    witness = witness_of(store)
    for _ in range(10):
        witness.note(GHOST, Seen.ANSWERED)
    assert witness.reputation.score(GHOST, "", NOW).answered == pytest.approx(10)
    with trio.move_on_after(0.5):
        await witness.run()
    assert (await store.evidence.counts())[GHOST] == {"answered": 3}


async def test_a_theft_outlives_any_number_of_good_answers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet.store.evidence.MAX_USUAL", 3)
    witness = witness_of(store)
    witness.note(GHOST, Seen.OVERBILLED)
    for _ in range(9):
        witness.note(GHOST, Seen.ANSWERED, model="small")
    await witness.flush()
    again = witness_of(store)
    await again.load()
    assert again.reputation.quarantined(GHOST, NOW) is not None
