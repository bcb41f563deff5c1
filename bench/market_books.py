"""Holds the books of one simulated world against each other: is every msat where it should be, and
who lost how much?

    mint        issued = in wallets + fees                         (every sat exists once)
    ghost       redeemed - given back = billed + credit it owes    (for every session)
    ghost       its wallet = its float + redeemed - given back - its fees
    client      what left its wallet - fees = redeemed - given back (for every session)
    receipts    chained, signed, the client's the same as the ghost's
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bench.market_case import Case
from bench.market_world import CHUNK_MSAT, FLOAT_SAT, URLS, Host, World
from engine.market.meter import part_cost
from engine.wire.receipt import FIRST, Receipt, countersigned, receipt_hash
from wallet import journal
from wallet.journal import Kind, Result
from wallet.store import Store

ALL = 1 << 40


@dataclass
class Verdict:
    """What one world's books say. Amounts are msat."""

    unaccounted: int = 0
    stuck: int = 0
    loss_client: int = 0
    loss_ghost: int = 0
    loss_ghost_session: int = 0
    rebate: int = 0
    """The most that one session's bills were below the meter: more credit than one chunk."""
    answers: int = 0
    payments: int = 0
    cuts: int = 0
    notes: list[str] = field(default_factory=list)
    """What is wrong, with the number of the session."""
    tricks: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def miss(self, msat: int, words: str) -> None:
        if msat:
            self.unaccounted += abs(msat)
            self.notes.append(f"{words}: {msat} msat")


@dataclass
class Ledger:
    """A ghost's store, read once."""

    redeemed: Counter[bytes] = field(default_factory=Counter)
    refunded: Counter[bytes] = field(default_factory=Counter)
    refund_fees: int = 0

    @classmethod
    async def of(cls, store: Store) -> Ledger:
        ledger = cls()
        for result in await _results(store, Kind.REDEEM):
            ledger.redeemed[_session_of(result)] += result.amount_sat
        for result in await _results(store, Kind.REFUND):
            ledger.refunded[_session_of(result)] += result.amount_sat
            ledger.refund_fees += result.fee_sat
        return ledger

    def held_msat(self, session: bytes) -> int:
        """What the ghost took in for a session and did not give back."""
        return (self.redeemed[session] - self.refunded[session]) * 1000


async def _results(store: Store, kind: Kind) -> list[Result]:
    rows = await store.run(lambda tx: tx.operations.by_kind(kind.value, ALL))
    results = [journal.from_row(row).result for row in rows]
    return [result for result in results if result is not None and not result.failed]


def _session_of(result: Result) -> bytes:
    return bytes.fromhex(result.match.split(":")[0])


async def audit(world: World, cases: list[Case]) -> Verdict:
    """After `World.settle_down`."""
    verdict = Verdict()
    ledgers = {host: await Ledger.of(host.party.store) for host in world.hosts}
    await _mint(world, verdict)
    for host, ledger in ledgers.items():
        await _host(host, ledger, verdict)
    for party in world.parties:
        rows = await party.store.run(lambda tx: tx.operations.open())
        stuck = [row for row in rows if row.kind != Kind.SLOT]
        verdict.stuck += len(stuck)
        verdict.notes += [f"stuck: {row.kind} {row.state} {row.error}" for row in stuck]
    for case in cases:
        await _case(world, case, ledgers[case.host], verdict)
    return verdict


async def _mint(world: World, verdict: Verdict) -> None:
    owed = sum(weather.mint.outstanding for weather in world.mints.values())
    held = sum([await party.sat() for party in world.parties])
    verdict.miss((owed - held) * 1000, "the mints owe more than the wallets hold")


async def _host(host: Host, ledger: Ledger, verdict: Verdict) -> None:
    store = host.party.store
    sessions = set(ledger.redeemed) | set(ledger.refunded)
    for session in sessions:
        receipts = await store.receipts.list(session, side="ghost")
        billed = sum(receipt.cost_msat for receipt in receipts)
        owes = await store.credits.get(session)
        verdict.miss(ledger.held_msat(session) - billed - owes, "a session's credit and bills")
    taken = sum(ledger.redeemed.values()) - sum(ledger.refunded.values())
    should = FLOAT_SAT * len(URLS) + taken - ledger.refund_fees
    verdict.miss((await host.party.sat() - should) * 1000, "a ghost's wallet and its books")


async def _case(world: World, case: Case, ledger: Ledger, verdict: Verdict) -> None:
    verdict.tricks[case.trick.name] += 1
    verdict.errors.update(case.errors)
    verdict.answers += case.answers
    verdict.payments += len(case.payments)
    verdict.cuts += case.cuts
    if case.saved is None:
        return
    billed = await _receipts(case, verdict)
    if case.honest_client:
        await _client(case, ledger, verdict)
    if case.honest_ghost and not case.host_crashed:
        _ghost(world, case, billed, verdict)


async def _client(case: Case, ledger: Ledger, verdict: Verdict) -> None:
    """What left the wallet, where it went, and what the client had for it."""
    store = case.client.store
    worth = case.accepted_msat + case.unfinished_msat
    left = fees = lost = 0
    unused = worth
    for paid in case.payments:
        back = await _came_back(store, paid.op_id, paid.total_sat)
        out, taken = paid.total_sat - back, not await _is_back(store, paid.op_id)
        left += out
        fees += paid.fee_sat if out else 0
        used = min(unused, paid.amount_sat * 1000) if taken else 0
        unused -= used
        lost += out * 1000 - used
        if taken and used == paid.amount_sat * 1000:
            lost -= paid.fee_sat * 1000  # the price of what was used; else it is lost too
    for slot in case.slots:
        row = await store.run(lambda tx, op=slot: tx.operations.get(op))  # type: ignore[misc]
        result = journal.from_row(row).result if row is not None else None
        back = result.amount_sat if result is not None else 0
        left -= back
        lost -= back * 1000
    held = ledger.held_msat(case.hash)
    verdict.miss((left - fees) * 1000 - held, f"session {case.number}: the client's account")
    if lost > case.stake_msat:
        verdict.notes.append(
            f"session {case.number} ({case.trick.name}): the client lost {lost} of"
            f" {case.stake_msat} msat at stake; it had answers for {worth}, {case.errors}"
        )
    verdict.loss_client = max(verdict.loss_client, lost * CHUNK_MSAT // case.stake_msat)
    rebate = case.accepted_msat - case.billed_msat
    verdict.rebate = max(verdict.rebate, rebate)


async def _is_back(store: Store, op_id: str) -> bool:
    """Whether a payment was not taken, and came back."""
    row = await store.run(lambda tx: tx.operations.get(op_id))
    result = journal.from_row(row).result if row is not None else None
    return result is not None and bool(result.failed)


async def _came_back(store: Store, op_id: str, total: int) -> int:
    """What a payment's operation brought back: change, or all of it."""
    row = await store.run(lambda tx: tx.operations.get(op_id))
    result = journal.from_row(row).result if row is not None else None
    if result is None:
        return 0
    if not result.failed:
        return result.change_sat
    if not result.successor:
        return total
    row = await store.run(lambda tx: tx.operations.get(result.successor))
    done = journal.from_row(row).result if row is not None else None
    return done.amount_sat if done is not None else 0


async def _receipts(case: Case, verdict: Verdict) -> list[Receipt]:
    """The ghost's receipts of a session, checked as a stranger would."""
    host, session = case.host, case.hash
    assert case.saved is not None
    head, number, found = FIRST, 0, []
    kept = {r.n: r for r in await host.party.store.receipts.list(session, side="ghost")}
    for row in kept.values():
        receipt = Receipt.decode(row.raw, host.identity.public)
        if (receipt.prev, receipt.n, receipt.session) != (head, number + 1, session):
            verdict.notes.append(f"session {case.number}: a receipt out of its chain")
        if row.client_sig and not countersigned(row.raw, case.saved.key, row.client_sig):
            verdict.notes.append(f"session {case.number}: a countersignature that is none")
        head, number = receipt_hash(row.raw), receipt.n
        found.append(receipt)
    if case.honest_ghost:
        for row in await case.client.store.receipts.list(session, side="client"):
            if row.n not in kept or kept[row.n].raw != row.raw:
                verdict.notes.append(f"session {case.number}: a receipt only the client has")
    return found


def _ghost(world: World, case: Case, billed: list[Receipt], verdict: Verdict) -> None:
    """What the provider gave for the session beyond what was billed."""
    served = [item for item in world.provider.served if item.case == case.number]
    if any(item.failed for item in served):
        return
    offer, total = world.offer, 0
    for item in served:
        tokens = item.tokens(offer.max_out)
        if item.ended and item.usage is not None:
            tokens = min(tokens, item.usage[1])
        total += part_cost(tokens, offer.out_price)
    loss = total - sum(receipt.cost for receipt in billed)
    verdict.loss_ghost_session = max(verdict.loss_ghost_session, loss)
    per_answer = loss / max(1, len(served))
    if len(served) == len(billed):
        per_answer = max(
            (
                part_cost(min(item.tokens(offer.max_out), _said(item.usage)), offer.out_price)
                - receipt.cost
                for item, receipt in zip(served, billed, strict=True)
            ),
            default=0,
        )
    if per_answer > CHUNK_MSAT:
        verdict.notes.append(
            f"session {case.number} ({case.trick.name}): the ghost lost {per_answer:.0f} msat;"
            f" served {served}, billed {[r.cost for r in billed]}, {case.errors}"
        )
    verdict.loss_ghost = max(verdict.loss_ghost, int(per_answer))


def _said(usage: tuple[int, int, int, int] | None) -> int:
    return ALL if usage is None else usage[1]
