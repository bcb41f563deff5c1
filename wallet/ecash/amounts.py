"""Arithmetic of amounts: denominations, input fees, blanks, choosing which proofs to spend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from wallet.ecash.errors import EcashError
from wallet.ecash.types import Proof

# How many proofs of each small denomination a wallet likes to hold, so that the next payments
# need neither a swap nor a large overpayment. Every proof costs its input fee when spent.
WANTED_EACH = 3
WANTED_UP_TO = 64


def split(amount: int) -> list[int]:
    """Powers of two that add up to `amount`, ascending."""
    if amount < 0:
        raise EcashError("a negative amount cannot be split")
    return [1 << bit for bit in range(amount.bit_length()) if amount >> bit & 1]


def split_for_wallet(amount: int, held: Iterable[int] | Mapping[int, int]) -> list[int]:
    """Denominations for value that stays with us: fill up the small ones first, then powers of
    two. Ascending, so that the order tells a mint nothing (NUT-03)."""
    have = Counter(held)
    parts: list[int] = []
    rest = amount
    denomination = 1
    # Never break a small amount into dust: small change takes at most half of what came in.
    budget = amount // 2
    while denomination <= WANTED_UP_TO:
        wanted = max(0, WANTED_EACH - have[denomination])
        for _ in range(wanted):
            if denomination > budget:
                break
            parts.append(denomination)
            budget -= denomination
            rest -= denomination
        denomination *= 2
    return sorted(parts + split(rest))


def blanks_for(amount: int) -> int:
    """How many blank outputs can carry any value up to `amount` in powers of two (NUT-08)."""
    return max(0, amount).bit_length()


def input_fee(fees_ppk: Iterable[int]) -> int:
    """NUT-02: the sum of the inputs' fees in thousandths, rounded up once."""
    return (sum(fees_ppk) + 999) // 1000


def fee_included(amount: int, per_coin_ppk: int) -> int:
    """The input fee of paying exactly `amount` and that fee with powers of two."""
    fee = 0
    for _ in range(64):
        needed = input_fee(per_coin_ppk for _ in split(amount + fee))
        if needed <= fee:
            break
        fee = needed
    return fee


def total(proofs: Iterable[Proof]) -> int:
    return sum(proof.amount for proof in proofs)


@dataclass(frozen=True, slots=True)
class Heap:
    """Coins that are alike: `count` of one amount and keyset, each with the same input fee."""

    amount: int
    id: str
    count: int
    fee_ppk: int


def select(
    proofs: Sequence[Proof], amount: int, fee_ppk: Callable[[Proof], int]
) -> list[Proof] | None:
    """Proofs that cover `amount` and their own input fees with the least left over.

    None when everything together is not enough.
    """
    groups: dict[tuple[int, str], list[Proof]] = {}
    for proof in proofs:
        groups.setdefault((proof.amount, proof.id), []).append(proof)
    heaps = [
        Heap(value, keyset, len(group), fee_ppk(group[0]))
        for (value, keyset), group in groups.items()
    ]
    chosen = select_heaps(heaps, amount)
    if chosen is None:
        return None
    return [proof for heap in chosen for proof in groups[heap.amount, heap.id][: heap.count]]


def select_heaps(heaps: Sequence[Heap], amount: int) -> list[Heap] | None:
    """How many of each heap `select` takes: the work does not grow with the number of coins.

    The fee depends on how many are chosen, so the target is raised until it holds.
    """
    ordered = sorted(heaps, key=lambda heap: (-heap.amount, heap.fee_ppk))
    target = amount
    for _ in range(sum(heap.count for heap in heaps) + 1):
        chosen = _cover(ordered, target)
        if chosen is None:
            break
        needed = amount + input_fee_of(chosen)
        if value_of(chosen) >= needed:
            return _without_idle(chosen, amount)
        target = max(needed, target + 1)
    chosen = _largest(ordered, amount)
    return None if chosen is None else _without_idle(chosen, amount)


def value_of(heaps: Iterable[Heap]) -> int:
    """What these coins are worth together."""
    return sum(heap.amount * heap.count for heap in heaps)


def input_fee_of(heaps: Iterable[Heap]) -> int:
    """NUT-02 for all these coins as inputs of one request."""
    return (sum(heap.fee_ppk * heap.count for heap in heaps) + 999) // 1000


def _largest(ordered: Sequence[Heap], amount: int) -> list[Heap] | None:
    """The fewest of the largest that cover it: the way out when small coins cost their worth."""
    chosen: list[Heap] = []
    value = fees_ppk = 0
    for heap in ordered:
        for taken in range(1, heap.count + 1):
            value += heap.amount
            fees_ppk += heap.fee_ppk
            if value >= amount + (fees_ppk + 999) // 1000:
                return [*chosen, replace(heap, count=taken)]
        chosen.append(heap)
    return None


def _without_idle(chosen: Sequence[Heap], amount: int) -> list[Heap]:
    """Leaves out, from the smallest, every coin that the others do without: once it is gone they
    cost less too. `chosen` is in descending order."""
    value = value_of(chosen)
    fees_ppk = sum(heap.fee_ppk * heap.count for heap in chosen)
    kept: list[Heap] = []
    for heap in reversed(chosen):
        count = heap.count
        while count and value - heap.amount >= amount + (fees_ppk - heap.fee_ppk + 999) // 1000:
            count -= 1
            value -= heap.amount
            fees_ppk -= heap.fee_ppk
        if count:
            kept.append(replace(heap, count=count))
    return kept[::-1]


def is_usual(amount: int, per_coin_ppk: int) -> bool:
    """Whether one of each power of two can pay exactly this and the fee for these coins."""
    fee = fee_included(amount, per_coin_ppk)
    return input_fee(per_coin_ppk for _ in split(amount + fee)) == fee


def usual_heaps(heaps: Sequence[Heap], amount: int, keyset: str) -> list[Heap] | None:
    """The coins that any wallet would pay `amount` with after a swap: one of each power of two, of
    this keyset, fee included. So a payment's coins say nothing of the wallet that they come from.

    None when they are not all there, or cannot pay `amount` exactly."""
    found = {heap.amount: heap for heap in heaps if heap.id == keyset and heap.count}
    per_coin = next((heap.fee_ppk for heap in found.values()), 0)
    parts = split(amount + fee_included(amount, per_coin))
    if not all(part in found for part in parts):
        return None
    chosen = [replace(found[part], count=1) for part in reversed(parts)]
    return chosen if value_of(chosen) == amount + input_fee_of(chosen) else None


def payable_exactly(
    proofs: Sequence[Proof], wanted: Iterable[int], fee_ppk: Callable[[Proof], int]
) -> bool:
    """Whether all these payments can be made from these proofs with nothing left over."""
    left = list(proofs)
    for amount in wanted:
        chosen = select(left, amount, fee_ppk)
        if chosen is None or total(chosen) != amount + input_fee(map(fee_ppk, chosen)):
            return False
        left = [proof for proof in left if proof not in chosen]
    return True


def _cover(ordered: Sequence[Heap], target: int) -> list[Heap] | None:
    """The coins with the smallest sum of at least `target`.

    Walks from large to small and takes what fits; every coin too large to fit is a way to end
    here with one overpaying coin, and the cheapest ending wins. Exact for denominations that
    divide each other, which powers of two do.
    """
    taken: list[Heap] = []
    rest = target
    best: tuple[int, list[Heap]] | None = None
    for heap in ordered:
        if rest == 0:
            break
        fits = min(heap.count, rest // heap.amount)
        rest -= fits * heap.amount
        if fits < heap.count and rest and (best is None or heap.amount - rest < best[0]):
            best = (heap.amount - rest, [*taken, replace(heap, count=fits + 1)])
        if fits:
            taken.append(replace(heap, count=fits))
    if rest == 0:
        return taken
    return None if best is None else best[1]
