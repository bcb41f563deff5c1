"""The store of records: validated first, bounded, nothing outlives its expiry."""

from __future__ import annotations

from random import Random

import pytest

from engine.directory.dht.settings import DhtSettings
from engine.directory.dht.store import RecordStore
from engine.errors import WireError
from engine.identity import Identity
from engine.wire.dht import MAX_RECORDS, Verdict
from engine.wire.network import MAIN_NETWORK
from engine.wire.record import Record
from tests.helpers.records import KEY, NOW, record


def store(
    settings: DhtSettings | None = None, worth: dict[bytes, int] | None = None
) -> RecordStore:
    """A store; `worth` says what each record's work is worth instead of counting it."""

    def check(key: bytes, raw: bytes, now: float) -> int:
        if worth is None:
            return Record.parse(raw).check(MAIN_NETWORK, key, now, 0)
        return worth[raw]

    return RecordStore(settings or DhtSettings(), check, Random(1))


def test_a_valid_record_is_kept_and_found() -> None:
    found, raw = store(), record()
    assert found.put(KEY, raw, NOW) == (Verdict.KEPT, 0)
    assert found.put(KEY, raw, NOW) == (Verdict.KEPT, 0)
    assert found.get(KEY, 0, NOW) == (1, (raw,))
    assert found.get(b"other" * 6, 0, NOW) == (0, ())


def test_the_latest_of_an_owner_counts() -> None:
    """FACTS: in the package old copies overwrite new."""
    ghost, found = Identity.generate(), store()
    old, new = record(ghost, sequence=1), record(ghost, sequence=2)
    found.put(KEY, new, NOW)
    assert found.put(KEY, old, NOW)[0] is Verdict.STALE
    assert found.get(KEY, 0, NOW) == (1, (new,))
    newest = record(ghost, sequence=3)
    assert found.put(KEY, newest, NOW)[0] is Verdict.KEPT
    assert found.get(KEY, 0, NOW) == (1, (newest,))
    assert len(found) == 1


@pytest.mark.parametrize("raw", [b"", b"x" * 603, record(expires=NOW), record(expires=NOW + 10**6)])
def test_what_is_not_valid_is_not_kept(raw: bytes) -> None:
    found = store()
    assert found.put(KEY, raw, NOW)[0] is Verdict.INVALID
    assert not len(found)


def test_a_record_of_another_key_is_not_kept() -> None:
    found = store()
    assert found.put(b"k" * 32, record(), NOW)[0] is Verdict.INVALID


def test_nothing_outlives_its_expiry() -> None:
    """FACTS: in the package values live as long as anyone holds them."""
    found, raw = store(), record(expires=NOW + 10)
    found.put(KEY, raw, NOW)
    assert found.get(KEY, 0, NOW + 10) == (0, ())
    assert found.expire(NOW + 10) == 1
    assert not len(found)


def test_a_full_key_takes_what_is_worth_more() -> None:
    raws = [record() for _ in range(4)]
    worth = dict(zip(raws, (10, 12, 10, 11), strict=True))
    found = store(DhtSettings(records_per_key=2), worth)
    assert found.put(KEY, raws[0], NOW)[0] is Verdict.KEPT
    assert found.put(KEY, raws[1], NOW)[0] is Verdict.KEPT
    assert found.put(KEY, raws[2], NOW) == (Verdict.FULL, 11)
    assert found.put(KEY, raws[3], NOW)[0] is Verdict.KEPT
    assert set(found.get(KEY, 0, NOW)[1]) == {raws[1], raws[3]}
    assert len(found) == 2


def test_expired_records_make_room() -> None:
    old, new = record(expires=NOW + 1), record()
    found = store(DhtSettings(records_per_key=1, records=1))
    found.put(KEY, old, NOW)
    assert found.put(KEY, new, NOW)[0] is Verdict.FULL
    assert found.put(KEY, new, NOW + 2)[0] is Verdict.KEPT


def test_a_full_store_takes_no_more() -> None:
    """FACTS: the package's storage has no cap."""
    found = store(DhtSettings(records=2))
    verdicts = [found.put(KEY, record(), NOW)[0] for _ in range(3)]
    assert verdicts == [Verdict.KEPT, Verdict.KEPT, Verdict.FULL]


def test_pages_go_round_and_hold_them_all() -> None:
    found = store()
    raws = {record() for _ in range(2 * MAX_RECORDS + 1)}
    for raw in raws:
        found.put(KEY, raw, NOW)
    pages = [found.get(KEY, page, NOW) for page in range(3)]
    assert {total for total, _ in pages} == {len(raws)}
    assert {raw for _, page in pages for raw in page} == raws
    assert set(found.get(KEY, 3, NOW)[1]) == set(pages[0][1])


def test_a_record_that_cannot_be_checked_is_invalid() -> None:
    def refuse(_key: bytes, _raw: bytes, _now: float) -> int:
        raise WireError("no")

    found = RecordStore(DhtSettings(), refuse, Random(1))
    assert found.put(KEY, record(), NOW)[0] is Verdict.INVALID
