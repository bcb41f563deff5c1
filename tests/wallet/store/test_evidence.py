"""What the store keeps of ghosts: bounded, pruned, forgotten when told, and never in the clear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_trio

from tests.wallet.support import open_store
from wallet.store import SeenRow, SignedPiece, Store
from wallet.store import evidence as module

pytestmark = pytest.mark.trio

GHOST, OTHER = b"\x01" * 32, b"\x02" * 32
HOUR = 3_600


@pytest_trio.trio_fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store(tmp_path) as opened:
        yield opened


async def test_observations_keep_their_order(store: Store) -> None:
    rows = [
        SeenRow(GHOST, "answered", 10 * HOUR, "small", 900, 40),
        SeenRow(OTHER, "priced", 10 * HOUR, "small", price=77),
        SeenRow(GHOST, "overbilled", 11 * HOUR),
    ]
    for row in rows:
        await store.evidence.note(row, grave=row.seen == "overbilled")
    assert await store.evidence.observations() == rows
    assert await store.evidence.counts() == {
        GHOST: {"answered": 1, "overbilled": 1},
        OTHER: {"priced": 1},
    }


async def test_good_answers_do_not_push_out_a_theft(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_USUAL", 5)
    monkeypatch.setattr(module, "MAX_GRAVE", 2)
    await store.evidence.note(SeenRow(GHOST, "overbilled", HOUR), grave=True)
    for hour in range(9):
        await store.evidence.note(SeenRow(GHOST, "answered", hour * HOUR), grave=False)
    await store.evidence.note(SeenRow(OTHER, "answered", 0), grave=False)
    kept = [row for row in await store.evidence.observations() if row.ghost == GHOST]
    assert [row.seen for row in kept] == ["overbilled"] + ["answered"] * 5
    assert [row.at // HOUR for row in kept[1:]] == [4, 5, 6, 7, 8]
    for _ in range(4):
        await store.evidence.note(SeenRow(GHOST, "overbilled", HOUR), grave=True)
    assert (await store.evidence.counts())[GHOST]["overbilled"] == 2


async def test_what_is_too_old_goes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(store.clock())
    await store.evidence.note(SeenRow(GHOST, "answered", now - module.KEPT_S - HOUR), grave=False)
    for age in range(4):
        await store.evidence.note(SeenRow(GHOST, "answered", now - age), grave=False)
    await store.evidence.note(SeenRow(OTHER, "cheated", now), grave=True)
    monkeypatch.setattr(module, "MAX_OBSERVATIONS", 3)
    await store.evidence.prune()
    assert await store.evidence.counts() == {GHOST: {"answered": 2}, OTHER: {"cheated": 1}}


async def test_pieces_are_kept_once_and_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PIECES", 3)
    told = SignedPiece(b"t" * 32, GHOST, "chain", b"raw", own=False)
    assert await store.evidence.keep(told)
    assert not await store.evidence.keep(told)
    for n in range(3):
        await store.evidence.keep(SignedPiece(bytes([n]) * 32, GHOST, "overbill", b"raw"))
    kept = await store.evidence.pieces(GHOST)
    assert len(kept) == 3
    assert all(piece.own for piece in kept)
    assert all(piece.at % HOUR == 0 for piece in kept)
    assert await store.evidence.pieces(OTHER) == []
    assert "secret" not in repr(SignedPiece(b"d" * 32, GHOST, "chain", b"secret"))


async def test_quotes_are_kept_for_the_receipts_that_name_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUOTES", 2)
    for n in range(4):
        await store.evidence.keep_quote(GHOST, bytes([n]) * 16, b"quote %d" % n)
    assert await store.evidence.quote(GHOST, b"\x03" * 16) == b"quote 3"
    assert await store.evidence.quote(GHOST, b"\x00" * 16) is None
    assert await store.evidence.quote(OTHER, b"\x03" * 16) is None


async def test_forgetting_leaves_nothing_but_the_words(store: Store) -> None:
    await store.evidence.note(SeenRow(GHOST, "answered", 0), grave=False)
    await store.evidence.keep(SignedPiece(b"d" * 32, GHOST, "chain", b"raw"))
    await store.evidence.keep_quote(GHOST, b"q" * 16, b"quote")
    await store.evidence.mark(GHOST, "trust")
    await store.evidence.mark(OTHER, "ban")
    await store.evidence.add_canary("velmora", GHOST)
    await store.evidence.forget(GHOST)
    assert await store.evidence.observations() == []
    assert await store.evidence.pieces() == []
    assert await store.evidence.quote(GHOST, b"q" * 16) is None
    assert [mark[:2] for mark in await store.evidence.marks()] == [(OTHER, "ban")]
    assert await store.evidence.canaries() == {"velmora": GHOST}


async def test_canaries_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CANARIES", 3)
    for n in range(5):
        await store.evidence.add_canary(f"word{n}", GHOST)
    assert set(await store.evidence.canaries()) == {"word2", "word3", "word4"}


async def test_nothing_lies_in_the_clear(tmp_path: Path) -> None:
    async with await open_store(tmp_path) as opened:
        path = opened.path
        await opened.evidence.add_canary("ostravelt-mirum", GHOST)
        await opened.evidence.note(SeenRow(b"g" * 32, "answered", 0, "telling-model"), grave=False)
    for file in path.parent.iterdir():
        data = file.read_bytes() if file.is_file() else b""
        assert b"ostravelt" not in data
        assert b"telling-model" not in data
        assert b"g" * 32 not in data
