"""Link records: round trips, ratchets, tampering, replay, erasure; and the choice of suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.crypto import link_cipher, suite
from engine.crypto.kdf import hkdf_expand
from engine.crypto.link_cipher import LinkCipher
from engine.crypto.suite import Suite, default_suite, new_aead, suite_of
from engine.errors import HandshakeError, LinkError

both = pytest.mark.parametrize("which", list(Suite))


def _pair(which: Suite) -> tuple[LinkCipher, LinkCipher]:
    key = os.urandom(32)
    return LinkCipher(which, key), LinkCipher(which, key)


def _seal(cipher: LinkCipher, cell: bytes) -> memoryview:
    record = memoryview(bytearray(2_048))
    cipher.seal_into(cell, record)
    return record


def _open(cipher: LinkCipher, record: memoryview) -> bytes:
    cell = memoryview(bytearray(2_032))
    cipher.open_into(record, cell)
    return bytes(cell)


@both
def test_round_trip_and_no_two_records_alike(which: Suite) -> None:
    send, recv = _pair(which)
    cell = os.urandom(2_032)
    records = [_seal(send, cell) for _ in range(20)]
    assert len({bytes(record) for record in records}) == 20
    assert all(_open(recv, record) == cell for record in records)


@both
def test_records_are_what_the_document_says(which: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_cipher, "RECORDS_PER_KEY", 3)
    key = os.urandom(32)
    send = LinkCipher(which, key)
    cell = bytes(2_032)
    for count in range(10):
        if count and count % 3 == 0:
            key = hkdf_expand(key, b"peer2prompt link ratchet v1")
        nonce = bytes(4) + count.to_bytes(8, "big")
        assert bytes(_seal(send, cell)) == new_aead(which, key).encrypt(nonce, cell, None)


@both
def test_ratchet_on_both_sides(which: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_cipher, "RECORDS_PER_KEY", 4)
    send, recv = _pair(which)
    first_key = send._key
    for number in range(13):
        cell = bytes([number]) * 2_032
        assert _open(recv, _seal(send, cell)) == cell
    assert send._key != first_key
    assert send._key == recv._key


@both
@pytest.mark.parametrize("position", [0, 1_000, 2_031, 2_032, 2_047])
def test_changed_records_end_the_link(which: Suite, position: int) -> None:
    send, recv = _pair(which)
    good, bad = _seal(send, bytes(2_032)), _seal(send, bytes(2_032))
    _open(recv, good)
    bad[position] ^= 0x10
    with pytest.raises(LinkError, match="verify"):
        _open(recv, bad)
    bad[position] ^= 0x10
    with pytest.raises(LinkError, match="closed"):
        _open(recv, bad)


@both
def test_replay_reorder_and_drop_end_the_link(which: Suite) -> None:
    for order in ([0, 0], [1], [0, 2]):
        send, recv = _pair(which)
        records = [_seal(send, bytes([i]) * 2_032) for i in range(3)]
        *good, bad = order
        for index in good:
            _open(recv, records[index])
        with pytest.raises(LinkError):
            _open(recv, records[bad])


def test_a_link_ends_before_its_counter_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_cipher, "RECORDS_PER_KEY", 2)
    monkeypatch.setattr(link_cipher, "MAX_RECORDS", 4)
    send, _recv = _pair(Suite.AES_256_GCM)
    for _ in range(4):
        _seal(send, bytes(2_032))
    with pytest.raises(LinkError, match="as many records"):
        _seal(send, bytes(2_032))


def test_erased_ciphers_refuse() -> None:
    send, recv = _pair(Suite.AES_256_GCM)
    record = _seal(send, bytes(2_032))
    for cipher in (send, recv):
        cipher.erase()
        cipher.erase()
    with pytest.raises(LinkError, match="closed"):
        _seal(send, bytes(2_032))
    with pytest.raises(LinkError, match="closed"):
        _open(recv, record)
    assert send._key == b""


def test_key_does_not_show() -> None:
    key = os.urandom(32)
    assert repr(LinkCipher(Suite.AES_256_GCM, key)) == "LinkCipher(AES_256_GCM)"


def test_suites_by_number() -> None:
    assert suite_of(1) is Suite.AES_256_GCM
    assert suite_of(2) is Suite.CHACHA20_POLY1305
    for value in (0, 3, 200):
        with pytest.raises(HandshakeError, match="suite"):
            suite_of(value)


def test_default_suite_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "_has_aes_instructions", lambda: True)
    assert default_suite.__wrapped__() is Suite.AES_256_GCM
    monkeypatch.setattr(suite, "_has_aes_instructions", lambda: False)
    assert default_suite.__wrapped__() is Suite.CHACHA20_POLY1305


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor: 0\nflags\t\t: fpu aes sse2\n", True),
        ("Features\t: fp asimd aes pmull\n", True),
        ("flags\t\t: fpu vaesx sse2\n", False),
        ("nothing known\n", False),
    ],
)
def test_reading_the_processor_flags(
    cpuinfo: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_kwargs: cpuinfo)
    assert suite._has_aes_instructions() is expected


def test_without_processor_flags_the_architecture_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_args: object, **_kwargs: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(suite.platform, "machine", lambda: "arm64")
    assert suite._has_aes_instructions()
    monkeypatch.setattr(suite.platform, "machine", lambda: "riscv64")
    assert not suite._has_aes_instructions()


@both
def test_batches_are_the_same_records_across_a_ratchet(
    which: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_cipher, "RECORDS_PER_KEY", 10)
    key = os.urandom(32)
    one, many, recv = (LinkCipher(which, key) for _ in range(3))
    outs = [memoryview(bytearray(2_048)) for _ in range(8)]
    opened = [memoryview(bytearray(2_032)) for _ in range(8)]
    for size in (7, 2, 5, 8, 1, 8):
        cells = [os.urandom(2_032) for _ in range(size)]
        many.seal_batch(cells, outs)
        assert [_seal(one, cell) for cell in cells] == outs[:size]
        recv.open_batch(outs[:size], opened)
        assert [bytes(cell) for cell in opened[:size]] == cells


@both
def test_a_batch_with_one_bad_record_ends_the_cipher(which: Suite) -> None:
    send, recv = _pair(which)
    outs = [memoryview(bytearray(2_048)) for _ in range(3)]
    send.seal_batch([os.urandom(2_032)] * 3, outs)
    outs[1][5] ^= 1
    opened = [memoryview(bytearray(2_032)) for _ in range(3)]
    with pytest.raises(LinkError):
        recv.open_batch(outs, opened)
    with pytest.raises(LinkError):
        recv.open_batch(outs[:1], opened)
