"""The replay journal: what it brings back, and when it is not to be trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.circuit.replay_journal import ReplayJournal, boot_mark
from engine.crypto.replay import HandshakeReplayCache
from engine.errors import HandshakeError

KEY = bytes(range(32))
BOOT, OTHER_BOOT = b"b" * 16, b"c" * 16


def started(folder: Path, entries: range = range(3)) -> ReplayJournal:
    journal = ReplayJournal(folder / "replays", boot=BOOT)
    journal.start(KEY)
    for entry in entries:
        journal.append(KEY, entry)
    return journal


def loaded(folder: Path, boot: bytes = BOOT) -> tuple[list[int], list[int]] | None:
    kept = ReplayJournal(folder / "replays", boot=boot).load(KEY)
    return None if kept is None else (list(kept[0]), list(kept[1]))


def file_of(folder: Path) -> Path:
    return next((folder / "replays").glob("*.log"))


def test_what_was_noted_is_there_after_a_sudden_death(tmp_path: Path) -> None:
    started(tmp_path)  # and never closed
    assert loaded(tmp_path) == ([], [0, 1, 2])


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    started(tmp_path)
    again = ReplayJournal(tmp_path / "replays", boot=BOOT)
    assert again.load(KEY) is not None
    again.append(KEY, 7)
    assert loaded(tmp_path) == ([], [0, 1, 2, 7])


def test_after_another_boot_only_a_clean_end_is_trusted(tmp_path: Path) -> None:
    journal = started(tmp_path)
    assert loaded(tmp_path, OTHER_BOOT) is None
    journal.close()
    assert loaded(tmp_path, OTHER_BOOT) == ([], [0, 1, 2])
    assert loaded(tmp_path) is None  # it is in use under the other boot now


def test_halves_turn_and_both_come_back(tmp_path: Path) -> None:
    journal = started(tmp_path)
    journal.turn(KEY)
    journal.append(KEY, 9)
    assert loaded(tmp_path) == ([0, 1, 2], [9])
    journal.turn(KEY)
    assert loaded(tmp_path) == ([9], [])


def test_a_write_that_was_torn_leaves_whole_entries(tmp_path: Path) -> None:
    started(tmp_path)
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes() + b"\x00\x01\x02")
    again = ReplayJournal(tmp_path / "replays", boot=BOOT)
    assert again.load(KEY) == ((), [0, 1, 2])
    again.append(KEY, 5)
    assert loaded(tmp_path) == ([], [0, 1, 2, 5])


@pytest.mark.parametrize("damage", [b"", b"p2p-rpl1", b"x" * 24])
def test_a_damaged_or_missing_file_is_not_trusted(tmp_path: Path, damage: bytes) -> None:
    started(tmp_path)
    file_of(tmp_path).write_bytes(damage)
    assert loaded(tmp_path) is None
    file_of(tmp_path).unlink()
    assert loaded(tmp_path) is None


def test_a_disk_that_is_full_takes_the_trust_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = started(tmp_path)

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.circuit.replay_journal.os.write", full)
    journal.append(KEY, 3)
    monkeypatch.undo()
    assert loaded(tmp_path) is None


def test_a_dead_key_takes_its_files_with_it(tmp_path: Path) -> None:
    journal = started(tmp_path)
    journal.turn(KEY)
    journal.forget(KEY)
    assert list((tmp_path / "replays").iterdir()) == []


def test_the_files_are_for_their_owner_alone_and_tell_nothing(tmp_path: Path) -> None:
    journal = started(tmp_path, range(0))
    cache = HandshakeReplayCache(secret=bytes(32), journal=journal)
    ephemeral = os.urandom(32)
    cache.remember(KEY, ephemeral)
    path = file_of(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert len(path.read_bytes()) == 24 + 8
    assert ephemeral[:8] not in path.read_bytes()
    assert KEY.hex()[:8] not in path.name


def test_the_cache_hands_on_every_entry_and_takes_them_up_again(tmp_path: Path) -> None:
    journal = started(tmp_path, range(0))
    cache = HandshakeReplayCache(limit=4, secret=bytes(32), journal=journal)
    ephemerals = [os.urandom(32) for _ in range(7)]
    for ephemeral in ephemerals:
        cache.remember(KEY, ephemeral)
    kept = loaded(tmp_path)
    assert kept is not None
    again = HandshakeReplayCache(limit=4, secret=bytes(32))
    again.restore(KEY, *kept)
    assert again.count(KEY) == cache.count(KEY) == 3
    for ephemeral in ephemerals[-3:]:
        with pytest.raises(HandshakeError, match="replayed"):
            again.check(KEY, ephemeral)
    again.check(KEY, ephemerals[0])


def test_a_boot_has_one_mark() -> None:
    assert len(boot_mark()) == 16
    assert boot_mark() == boot_mark()
