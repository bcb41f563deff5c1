"""What the wallet shows of its mints: what lies there, how they fare, what one says of itself.

Reads only; nothing moves and nothing is decided.
"""

from __future__ import annotations

from wallet.accounts import SAT, unit_of
from wallet.health import warnings
from wallet.mints import MintBook, printable
from wallet.store import Store
from wallet.types import MintBalance, MintFacts


async def balances(store: Store, mints: MintBook, *, every_unit: bool) -> list[MintBalance]:
    """One row per account on the list, in its order: those in sat, or all. Asks no mint."""
    sums = await store.run(lambda tx: tx.proofs.sums())
    urls = [url for url in mints.urls() if every_unit or unit_of(url) == SAT]
    return [_row(store, mints, url, sums.get(url, (0, 0, 0, 0))) for url in urls]


def _row(store: Store, mints: MintBook, url: str, sums: tuple[int, int, int, int]) -> MintBalance:
    client = mints.client(url)
    available, reserved, held, resting = sums
    worries = warnings(client.health, mints.keysets(url), mints.disabled(url), store.clock())
    return MintBalance(
        url=url,
        name=mints.name(url),
        available_sat=available,
        reserved_sat=reserved,
        held_sat=held,
        healthy=not client.last_error,
        latency_ms=client.health.latency_ms,
        last_error=client.last_error,
        resting_sat=resting,
        unit=unit_of(url),
        failures_percent=client.health.failures_percent,
        clock_off_s=client.health.clock_off_s,
        warnings=tuple(worries),
    )


async def look_at(mints: MintBook, url: str) -> MintFacts:
    """What a mint says of itself (NUT-06), before the user trusts it. Raises a MintProblem."""
    url, info, keysets, units = await mints.look(url)
    active = [k.input_fee_ppk for k in keysets.values() if k.active]
    return MintFacts(
        url=url,
        name=printable(info.name),
        description=printable(info.description),
        version=printable(info.version),
        motd=printable(info.motd),
        input_fee_ppk=min(active, default=0),
        nuts=tuple(sorted(int(nut) for nut in info.nuts if nut.isascii() and nut.isdigit())),
        units=units,
    )
