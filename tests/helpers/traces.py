"""Searching what programs leave behind for secrets, in all the forms that bytes take."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mnemonic import Mnemonic

from wallet.ecash.deterministic import Seed
from wallet.keyring import COUNTER

SHORTEST = 16  # bytes of a form: no text has them by chance


def forms(value: bytes) -> Iterator[bytes]:
    """How bytes may show: as they are, in hex, in base64 wherever they stand in it."""
    yield value
    yield value.hex().encode()
    yield value.hex().upper().encode()
    yield repr(value)[2:-1].encode()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(before) + value)
            yield whole[4 if before else 0 : len(whole) // 4 * 4 - 4]


def of_seed(words: bytes, counters: Mapping[str, int]) -> list[bytes]:
    """The words, and all that a wallet makes of them up to these counters (by keyset)."""
    raw = Mnemonic.to_seed(words.decode())
    found = [words, b" ".join(words.split()[:3]), raw, raw[:32], raw[32:]]
    for keyset, until in counters.items():
        for number in range(until):
            if keyset == COUNTER:
                found.append(Seed(raw).lock_key(number))
                continue
            secret, r = Seed(raw).derive(keyset, number)
            found += [secret.encode(), bytes.fromhex(secret), r]
    return found


def told(needles: Iterable[bytes], places: dict[str, bytes]) -> list[tuple[str, str]]:
    """(place, the beginning of what was found there)."""
    cut = {form[:64] for value in needles for form in forms(value) if len(form) >= SHORTEST}
    return [
        (place, repr(form[:8])) for place, text in places.items() for form in cut if form in text
    ]


def files_in(folder: Path) -> dict[str, bytes]:
    """All but the key files, which are secrets themselves."""
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".key"
    }


def of_process(pid: int) -> dict[str, bytes]:
    """What everybody on the machine, or every child of it, can see of a process."""
    return {
        f"{name} of {pid}": Path(f"/proc/{pid}/{name}").read_bytes()
        for name in ("cmdline", "environ", "comm")
    }
