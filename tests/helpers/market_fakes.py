# ruff: noqa: ARG002 - stand-ins have the signatures of what they stand in for
"""In-memory stand-ins for the market's neighbours: streams that can be cut, a mint, wallets, books.

The fake mint counts every sat, so that a test can assert that money is neither made nor lost. No
threads and no real time: they run under trio's autojump clock.
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import trio

from engine.errors import CircuitClosed, ProviderError
from engine.exit.backends.base import (
    BackendEvent,
    ChatRequest,
    Delta,
    EmbedRequest,
    Events,
    Finish,
    Usage,
)
from engine.market.signal import Signal
from wallet.ecash.types import BlindSignature, Proof
from wallet.errors import InsufficientFunds, MintUnreachable, PaymentInvalid
from wallet.store.market import BilledAnswer, Earning, EarningTotals
from wallet.types import PaymentOutcome

KEYSET = "01" + "ab" * 32
MINT = "http://mint.example:3338"


# -- streams ---------------------------------------------------------------------------------------


class MemoryStream:
    """One end of a pair; `cut` kills both without an end mark."""

    def __init__(self, circuit_tag: bytes, peer_node_id: bytes) -> None:
        self.circuit_tag = circuit_tag
        self.peer_node_id = peer_node_id
        self.other: MemoryStream = self
        self.inbox = bytearray()
        self.ended = False
        self.is_cut = False
        self.busy = False
        self.signal = Signal()
        self.on_send: Callable[[MemoryStream, bytes], None] | None = None
        self.stuck = False

    def set_busy(self, busy: bool) -> None:
        self.busy = busy

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        while self.stuck and not self.is_cut:
            await self.signal.changed_since(self.signal.version)
        if self.is_cut:
            raise CircuitClosed("The test cut the circuit.")
        if self.on_send is not None:
            self.on_send(self, data)
        if not self.is_cut:
            self.other.inbox += data
            self.other.signal.notify()

    async def receive_some(self, max_bytes: int = 65536) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self.inbox:
            if self.is_cut:
                raise CircuitClosed("The test cut the circuit.")
            if self.ended:
                return b""
            await self.signal.changed_since(self.signal.version)
        data = bytes(self.inbox[:max_bytes])
        del self.inbox[:max_bytes]
        return data

    async def send_eof(self) -> None:
        self.other.ended = True
        self.other.signal.notify()
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self.ended = self.other.ended = True
        self.signal.notify()
        self.other.signal.notify()
        await trio.lowlevel.checkpoint()

    def cut(self, *, drop: bool = True) -> None:
        for end in (self, self.other):
            end.is_cut = True
            if drop:
                end.inbox.clear()
            end.signal.notify()

    def release(self) -> None:
        self.stuck = False
        self.signal.notify()


def stream_pair(ghost_id: bytes) -> tuple[MemoryStream, MemoryStream]:
    """(client's end, ghost's end) of a fresh circuit."""
    tag = os.urandom(32)
    client, ghost = MemoryStream(tag, ghost_id), MemoryStream(tag, b"")
    client.other, ghost.other = ghost, client
    return client, ghost


# -- money -----------------------------------------------------------------------------------------


def powers(amount: int) -> list[int]:
    """Ascending powers of two that sum up to `amount`."""
    return [1 << bit for bit in range(amount.bit_length()) if amount >> bit & 1]


class FakeMint:
    """Knows which secrets exist and are spent, and what it signed for which output."""

    def __init__(self) -> None:
        self.unspent: dict[str, int] = {}
        self.spent: set[str] = set()
        self.signed: dict[bytes, BlindSignature] = {}
        self.counter = itertools.count(1)

    def issue(self, amount: int) -> Proof:
        secret = f"{next(self.counter):064x}"
        self.unspent[secret] = amount
        return Proof(amount, KEYSET, secret, b"\x02" + os.urandom(32))

    def spend(self, proofs: Sequence[Proof]) -> int:
        for proof in proofs:
            if self.unspent.get(proof.secret) != proof.amount:
                raise PaymentInvalid("The proofs do not verify.")
        for proof in proofs:
            self.spent.add(proof.secret)
            del self.unspent[proof.secret]
        return sum(proof.amount for proof in proofs)

    def sign(self, amount: int, outs: Sequence[bytes]) -> list[BlindSignature]:
        parts = powers(amount)
        signatures = [
            BlindSignature(part, KEYSET, b"\x03" + out[1:], os.urandom(32), os.urandom(32))
            for part, out in zip(parts, outs, strict=False)
        ]
        self.signed.update(zip(outs, signatures, strict=False))
        return signatures


@dataclass
class FakePayment:
    id: str
    mint: str
    amount_sat: int
    total_sat: int
    keyset_id: str
    proofs: list[Proof]
    outputs: list[bytes]

    @property
    def change_due_sat(self) -> int:
        return self.total_sat - self.amount_sat


@dataclass
class FakeSlot:
    id: str
    keyset_id: str
    outputs: list[bytes]


def blanks(count: int) -> list[bytes]:
    return [b"\x02" + os.urandom(32) for _ in range(count)]


class FakePayer:
    """The client's half of a wallet, paying in multiples of `unit` so that there is change."""

    def __init__(self, mint: FakeMint, balance_sat: int, unit: int = 1) -> None:
        self.mint = mint
        self.mints = [MINT]
        self.silent: set[str] = set()
        self.balance_sat = balance_sat
        self.unit = unit
        self.cannot_swap = False
        self.delay_s = 0.0
        self.open: dict[str, FakePayment] = {}
        self.slots: dict[str, FakeSlot] = {}
        self.resolved: list[str] = []
        self.prepared = 0
        self.lock_chunks = "off"
        self.max_chunk_sat = 1000
        self.fees = 0
        self.locked: list[tuple[str, int]] = []
        """Lots that are ready: key and sat."""
        self._ids = itertools.count(1)

    def fee_ppk(self, url: str) -> int:
        return self.fees

    async def keep_exact(self, url: str, lot_sat: int, lots: int, least: int) -> None:
        await trio.lowlevel.checkpoint()
        if not self.cannot_swap:
            self.unit = 1  # from here on there are coins of every size

    async def keep_locked(self, url: str, key: str, lot_sat: int, lots: int, least: int) -> None:
        have = self.locked.count((key, lot_sat))
        for _ in range(lots - have if have < least else 0):
            await self.make_locked(url, key, lot_sat)

    async def make_locked(self, url: str, key: str, amount_sat: int) -> None:
        await trio.lowlevel.checkpoint()
        self.locked.append((key, amount_sat))

    async def pay_locked(self, url: str, amount_sat: int, key: str) -> FakePayment | None:
        """Takes lots of one size; the money is booked when it is paid."""
        for size in {sat for held, sat in self.locked if held == key}:
            count, rest = divmod(amount_sat, size)
            if not rest and self.locked.count((key, size)) >= count:
                for _ in range(count):
                    self.locked.remove((key, size))
                payment = await self.pay_prepare(url, amount_sat)
                coins = [replace(p, secret=f"[{key}{p.secret}") for p in payment.proofs]
                for old, new in zip(payment.proofs, coins, strict=True):
                    self.mint.unspent[new.secret] = self.mint.unspent.pop(old.secret)
                payment.proofs = coins
                return payment
        return None

    async def pay_prepare(self, url: str, amount_sat: int, purpose: str = "chunk") -> FakePayment:
        await trio.sleep(self.delay_s)
        total = -(-amount_sat // self.unit) * self.unit
        if url not in self.mints or total > self.balance_sat:
            raise InsufficientFunds("Not enough.", needed_sat=total, available_sat=self.balance_sat)
        self.balance_sat -= total
        self.prepared += 1
        proofs = [self.mint.issue(part) for part in powers(total)]
        payment = FakePayment(
            f"p{next(self._ids)}", url, amount_sat, total, KEYSET, proofs, blanks(8)
        )
        self.open[payment.id] = payment
        return payment

    async def pay_settle(self, payment_id: str, change: Sequence[BlindSignature]) -> int:
        await trio.lowlevel.checkpoint()
        del self.open[payment_id]
        sat = sum(item.amount for item in change)
        self.balance_sat += sat
        return sat

    async def pay_abort(self, payment_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self._take_back(self.open.pop(payment_id))

    async def pay_resolve(self, payment_id: str) -> PaymentOutcome:
        await trio.lowlevel.checkpoint()
        self.resolved.append(payment_id)
        if self.open[payment_id].mint in self.silent:
            raise MintUnreachable("The mint did not answer.")
        return self._take_back(self.open.pop(payment_id))

    def _take_back(self, payment: FakePayment) -> PaymentOutcome:
        if payment.proofs[0].secret in self.mint.unspent:
            back = self.mint.spend(payment.proofs)
            self.balance_sat += back
            return PaymentOutcome("reclaimed", 0, back)
        signed = (self.mint.signed.get(out) for out in payment.outputs)
        change = sum(item.amount for item in signed if item is not None)
        self.balance_sat += change
        return PaymentOutcome("spent", change, 0)

    async def refund_outputs(self, url: str, max_sat: int) -> FakeSlot:
        await trio.lowlevel.checkpoint()
        slot = FakeSlot(f"r{next(self._ids)}", KEYSET, blanks(max(1, max_sat.bit_length())))
        self.slots[slot.id] = slot
        return slot

    async def refund_settle(self, slot_id: str, change: Sequence[BlindSignature]) -> int:
        await trio.lowlevel.checkpoint()
        del self.slots[slot_id]
        sat = sum(item.amount for item in change)
        self.balance_sat += sat
        return sat

    async def refund_resolve(self, slot_id: str) -> int:
        await trio.lowlevel.checkpoint()
        slot = self.slots.pop(slot_id)
        signed = (self.mint.signed.get(out) for out in slot.outputs)
        sat = sum(item.amount for item in signed if item is not None)
        self.balance_sat += sat
        return sat


@dataclass
class FakeRedeemed:
    received_sat: int
    change: list[BlindSignature]


class FakeEarner:
    """The ghost's half of a wallet; `fail` makes the next calls fail as an unreachable mint."""

    def __init__(self, mint: FakeMint, credits: FakeCredits) -> None:
        self.mint = mint
        self.credits = credits
        self.balance_sat = 0
        self.delay_s = 0.0
        self.fail = 0
        self.cannot_reach: set[str] = set()
        self.redeemed_at: list[str] = []
        self.redeems = 0
        self._done: dict[str, FakeRedeemed] = {}
        self.keys = 0
        self._refunds: dict[bytes, list[BlindSignature]] = {}

    async def lock_key(self) -> str:
        await trio.lowlevel.checkpoint()
        self.keys += 1
        return "02" + f"{self.keys:064x}"

    async def redeem(
        self,
        url: str,
        proofs: Sequence[Proof],
        price_sat: int,
        blank_outputs: Sequence[bytes],
        credit_session: bytes,
        keyset_id: str | None = None,
    ) -> FakeRedeemed:
        await trio.sleep(self.delay_s)
        self._maybe_fail()
        if url in self.cannot_reach:
            raise MintUnreachable("The mint did not answer.")
        key = ",".join(proof.secret for proof in proofs)
        if key in self._done:
            return self._done[key]
        self.redeems += 1
        total = self.mint.spend(proofs)
        if total < price_sat:
            raise PaymentInvalid("The proofs are worth less than the price.")
        change = self.mint.sign(total - price_sat, blank_outputs)
        self.balance_sat += price_sat
        self.credits.book[credit_session] += price_sat * 1000
        self.redeemed_at.append(url)
        self._done[key] = FakeRedeemed(price_sat, change)
        return self._done[key]

    async def refund(
        self,
        url: str,
        amount_sat: int,
        blank_outputs: Sequence[bytes],
        credit_session: bytes,
        keyset_id: str | None = None,
    ) -> list[BlindSignature]:
        await trio.sleep(self.delay_s)
        self._maybe_fail()
        key = b"".join(blank_outputs)
        if key not in self._refunds:
            if self.credits.book[credit_session] < amount_sat * 1000:
                raise InsufficientFunds("Too much.", needed_sat=amount_sat, available_sat=0)
            self.balance_sat -= amount_sat
            assert self.balance_sat >= 0
            self.credits.book[credit_session] -= amount_sat * 1000
            self._refunds[key] = self.mint.sign(amount_sat, blank_outputs)
        return self._refunds[key]

    def _maybe_fail(self) -> None:
        if self.fail:
            self.fail -= 1
            raise MintUnreachable("The mint did not answer.")


# -- books -----------------------------------------------------------------------------------------


class FakeCredits:
    def __init__(self) -> None:
        self.book: dict[bytes, int] = defaultdict(int)
        self.on_bill: Callable[[bytes, BilledAnswer], None] = lambda _session, _answer: None

    async def get(self, session_hash: bytes) -> int:
        await trio.lowlevel.checkpoint()
        return self.book[session_hash]

    async def bill(self, session_hash: bytes, answer: BilledAnswer) -> int:
        await trio.lowlevel.checkpoint()
        assert self.book[session_hash] >= answer.cost_msat, "charged more than the credit"
        self.book[session_hash] -= answer.cost_msat
        self.on_bill(session_hash, answer)
        return self.book[session_hash]

    async def total_msat(self) -> int:
        await trio.lowlevel.checkpoint()
        return sum(self.book.values())


@dataclass
class FakeReceipt:
    n: int
    raw: bytes
    side: str
    client_sig: bytes | None


class FakeReceipts:
    def __init__(self) -> None:
        self.kept: dict[bytes, list[FakeReceipt]] = defaultdict(list)

    async def add(
        self,
        session_hash: bytes,
        n: int,
        raw: bytes,
        ghost_sig: bytes,
        *,
        side: str,
        cost_msat: int,
        client_sig: bytes | None = None,
    ) -> None:
        await trio.lowlevel.checkpoint()
        self.kept[session_hash].append(FakeReceipt(n, raw, side, client_sig))

    async def countersign(self, session_hash: bytes, n: int, client_sig: bytes) -> bool:
        await trio.lowlevel.checkpoint()
        for receipt in self.kept[session_hash]:
            if receipt.n == n and receipt.side == "ghost":
                receipt.client_sig = client_sig
                return True
        return False

    async def list(self, session_hash: bytes, *, side: str) -> list[FakeReceipt]:
        await trio.lowlevel.checkpoint()
        return [receipt for receipt in self.kept[session_hash] if receipt.side == side]


class FakeEarnings:
    def __init__(self) -> None:
        self.rows: list[tuple[float, str, int, int, int, bool]] = []

    async def add(
        self,
        model: str,
        tokens_in: int,
        tokens_out: int,
        cost_msat: int,
        *,
        refused: bool = False,
        ts: float | None = None,
    ) -> None:
        await trio.lowlevel.checkpoint()
        self.rows.append((ts or 0.0, model, tokens_in, tokens_out, cost_msat, refused))

    async def totals(self, *, since: float = 0.0) -> EarningTotals:
        await trio.lowlevel.checkpoint()
        rows = [row for row in self.rows if row[0] >= since]
        return EarningTotals(
            msat=sum(row[4] for row in rows),
            answers=sum(not row[5] for row in rows),
            refused=sum(row[5] for row in rows),
            tokens_in=sum(row[2] for row in rows),
            tokens_out=sum(row[3] for row in rows),
        )

    async def by_model(self) -> list[tuple[str, int, int]]:
        await trio.lowlevel.checkpoint()
        return [("m", len(self.rows), sum(row[4] for row in self.rows))]

    async def recent(self, limit: int = 20) -> list[Earning]:
        await trio.lowlevel.checkpoint()
        return [Earning(*row[:5]) for row in self.rows[-limit:] if not row[5]]

    async def series(
        self, *, now: float, bucket_s: float = 60.0, buckets: int = 60
    ) -> list[tuple[float, int]]:
        await trio.lowlevel.checkpoint()
        return [(now, 0)]


class FakeSecrets:
    def __init__(self) -> None:
        self.values: dict[tuple[str, str], bytes] = {}

    async def get(self, ns: str, key: str) -> bytes | None:
        await trio.lowlevel.checkpoint()
        return self.values.get((ns, key))

    async def put(self, ns: str, key: str, value: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.values[ns, key] = value

    async def delete(self, ns: str, key: str) -> None:
        await trio.lowlevel.checkpoint()
        self.values.pop((ns, key), None)

    async def keys(self, ns: str) -> list[str]:
        await trio.lowlevel.checkpoint()
        return [key for space, key in self.values if space == ns]


@dataclass
class FakeStore:
    """All books a ghost or a client needs."""

    credits: FakeCredits = field(default_factory=FakeCredits)
    receipts: FakeReceipts = field(default_factory=FakeReceipts)
    earnings: FakeEarnings = field(default_factory=FakeEarnings)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)

    def __post_init__(self) -> None:
        self.credits.on_bill = self._note_bill

    def _note_bill(self, session_hash: bytes, bill: BilledAnswer) -> None:
        """The other books change with the charge, as in the real store's one transaction."""
        receipt = FakeReceipt(bill.n, bill.receipt, "ghost", None)
        self.receipts.kept[session_hash].append(receipt)
        row = (bill.ts, bill.model, bill.tokens_in, bill.tokens_out, bill.cost_msat, False)
        self.earnings.rows.append(row)


# -- provider --------------------------------------------------------------------------------------

Gate = Callable[[int], Awaitable[None]]


class ScriptedBackend:
    """Yields the given deltas, then usage and finish, or fails where it is told to."""

    def __init__(
        self,
        deltas: Sequence[str] = ("Hello", " world"),
        *,
        usage: tuple[int, int] | None = None,
        fail_at: int | None = None,
        kind: str = "broken_stream",
        gate: Gate | None = None,
    ) -> None:
        self.deltas = deltas
        self.usage = usage
        self.fail_at = fail_at
        self.kind = kind
        self.gate = gate
        self.requests: list[ChatRequest] = []
        self.yielded = 0
        self.closed = 0

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[BackendEvent, None]:
        self.requests.append(request)
        try:
            for index, text in enumerate(self.deltas):
                await trio.lowlevel.checkpoint()
                if self.gate is not None:
                    await self.gate(index)
                if self.fail_at == index:
                    raise ProviderError(
                        "The AI provider failed.", kind=self.kind, retry_after_s=2.5
                    )
                self.yielded += 1
                yield Delta(text)
            if self.usage is not None:
                yield Usage(*self.usage)
            yield Finish("stop")
        finally:
            self.closed += 1

    def embed(self, request: EmbedRequest) -> Events:
        raise AssertionError(f"nobody asks this backend to embed: {request.model}")

    async def models(self) -> Sequence[str]:
        return ()

    def features(self, model: str) -> frozenset[str]:
        del model
        return frozenset()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
