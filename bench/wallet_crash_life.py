"""One life of the process that `bench.wallet_crash` kills: recover, audit, then move money.

It writes one JSON line a step: first the audit of what the lives before it left behind, then
`begin` before each move. What must be there is read from the mints' own databases, which the
wallet never sees: everything they have signed less everything they have taken back.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import trio

from wallet import chunks, opening
from wallet.ecash.curve import secret_to_y
from wallet.errors import WalletError
from wallet.journal import Kind
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

FLOOR_SAT, FUND_SAT = 300, 500
# A request of a dead process may still be at work in the mint; each round looks once more.
ROUNDS, PAUSE_S = 30, 0.15
SESSION = bytes(range(32))
LOCK_S = 1
FOREVER = float(1 << 40)


@dataclass(frozen=True)
class Mint:
    """A mint under test: where it answers and where it keeps its books."""

    url: str
    books: Path


@dataclass(frozen=True)
class Audit:
    """Sat after recovery. `doubled` is what the wallets believe in and the mints do not."""

    lost: int
    doubled: int
    open: int


@dataclass
class Pair:
    """Both ends of a payment, each with a store of its own."""

    client: Wallet
    ghost: Wallet
    client_store: Store
    ghost_store: Store

    def both(self) -> tuple[tuple[Wallet, Store], tuple[Wallet, Store]]:
        """The ghost first: the client's refunds are there once the ghost has made them."""
        return (self.ghost, self.ghost_store), (self.client, self.client_store)


Say = Callable[[object], None]
Move = Callable[[Pair, str, random.Random, Sequence[Mint]], Awaitable[None]]


@asynccontextmanager
async def opened(folder: Path, mints: Sequence[Mint]) -> AsyncIterator[Pair]:
    """Both wallets; the mints are on their lists. Locks are short."""
    short_locks()
    async with AsyncExitStack() as stack:
        found: list[tuple[Wallet, Store]] = []
        for name in ("client", "ghost"):
            key = KeyFile(folder / f"{name}.key", create=True)
            store = await Store.open(folder / f"{name}.db", key, create=True)
            stack.push_async_callback(store.aclose)
            wallet = Wallet(store)
            await wallet.open()
            stack.push_async_callback(wallet.aclose)
            for mint in mints:
                if mint.url not in wallet.mints():
                    await wallet.add_mint(mint.url)
            found.append((wallet, store))
        (client, client_store), (ghost, ghost_store) = found
        yield Pair(client, ghost, client_store, ghost_store)


async def mint(pair: Pair, url: str, rng: random.Random, _mints: Sequence[Mint]) -> None:
    quote = await pair.client.request_mint(url, rng.randrange(1, FUND_SAT))
    await pair.client.complete_mint(quote.quote_id)


async def swap(pair: Pair, url: str, rng: random.Random, _mints: Sequence[Mint]) -> None:
    """`split_ahead` swaps only when the coins do not fit, so ask for odd ones."""
    await pair.client.split_ahead(url, [rng.randrange(1, 60) for _ in range(3)])


async def send(pair: Pair, url: str, rng: random.Random, _mints: Sequence[Mint]) -> None:
    await pair.client.send(url, rng.randrange(1, 90))


async def receive(pair: Pair, url: str, rng: random.Random, _mints: Sequence[Mint]) -> None:
    """The newest token of the client, or a fresh one of the ghost, goes to the other side."""
    if await available(pair.ghost, url) > FUND_SAT:
        await pair.client.receive(await pair.ghost.send(url, rng.randrange(100, FUND_SAT)))
        return
    await pair.ghost.receive(await pair.client.send(url, rng.randrange(1, 90)))


async def melt(pair: Pair, url: str, rng: random.Random, mints: Sequence[Mint]) -> None:
    other = next(m.url for m in mints if m.url != url)
    invoice = (await pair.ghost.request_mint(other, rng.randrange(1, 30))).invoice
    await pair.client.melt((await pair.client.melt_quote(url, invoice)).quote_id)


async def pay(pair: Pair, url: str, rng: random.Random, _mints: Sequence[Mint]) -> None:
    payment = await pair.client.pay_prepare(url, rng.randrange(1, 70))
    redeemed = await pair.ghost.redeem(
        url, payment.proofs, payment.amount_sat, payment.outputs, SESSION, payment.keyset_id
    )
    await pair.client.pay_settle(payment.id, redeemed.change)


async def refund(pair: Pair, url: str, rng: random.Random, _mints: Sequence[Mint]) -> None:
    slot = await pair.client.refund_outputs(url, 60)
    amount = rng.randrange(1, 60)
    change = await pair.ghost.refund(url, amount, slot.outputs, SESSION, slot.keyset_id)
    await pair.client.refund_settle(slot.id, change)


async def lock(pair: Pair, url: str, rng: random.Random, _mints: Sequence[Mint]) -> None:
    """Two lots for the ghost: one is paid with, the other is taken back when its lock ends."""
    key, amount = await pair.ghost.lock_key(), rng.randrange(1, 40)
    await pair.client.chunks.make(url, key, amount, 2)
    payment = await pair.client.pay_locked(url, amount, key)
    if payment is None:
        return  # it took so long that the locks have ended
    redeemed = await pair.ghost.redeem(
        url, payment.proofs, payment.amount_sat, payment.outputs, SESSION, payment.keyset_id
    )
    await pair.client.pay_settle(payment.id, redeemed.change)


async def unlock(pair: Pair, url: str, rng: random.Random, _mints: Sequence[Mint]) -> None:
    """Lots of a moment ago come back."""
    await pair.client.chunks.make(url, await pair.ghost.lock_key(), rng.randrange(1, 40), 1)
    await trio.sleep(LOCK_S)
    await pair.client.chunks.take_back_ended()


def short_locks() -> None:
    """Locks that end while a life lasts, so that what a dead process had locked is seen again."""
    chunks.LOCK_S, chunks.GRID_S = LOCK_S, 1
    chunks.PAY_MARGIN_S, chunks.TAKE_MARGIN_S = 0, -60
    opening.BACK_MARGIN_S = 0


MOVES: dict[str, Move] = {
    "mint": mint,
    "swap": swap,
    "send": send,
    "receive": receive,
    "melt": melt,
    "pay": pay,
    "refund": refund,
    "lock": lock,
    "unlock": unlock,
}


async def available(wallet: Wallet, url: str) -> int:
    return next(b.available_sat for b in await wallet.balances() if b.url == url)


async def settle(pair: Pair) -> int:
    """Recover until nothing is open; how many operations stay so. Invoices are paid by the test
    mints themselves, so what was paid and never issued is collected too."""
    left = 0
    for _ in range(ROUNDS):
        left = 0
        for wallet, store in pair.both():
            await wallet.recover()
            with suppress(WalletError):
                await wallet.chunks.take_back_ended()
            await _collect(wallet, store)
            rows = await store.run(lambda tx: tx.operations.open())
            left += sum(1 for row in rows if row.kind != Kind.SLOT.value)
            left += len(await store.run(lambda tx: tx.locks.ended(FOREVER)))
        if left == 0:
            return 0
        await trio.sleep(PAUSE_S)
    return left


async def _collect(wallet: Wallet, store: Store) -> None:
    quotes = await store.run(
        lambda tx: tx.rows("SELECT quote_id FROM mint_quotes WHERE state <> 'ISSUED'")
    )
    # The ghost's invoices are paid by melts only, and the test mints do not tell who paid them.
    for (quote_id,) in quotes:
        try:
            await wallet.complete_mint(quote_id)
        except WalletError:
            continue  # it stays in the journal, which the caller counts


async def audit(pair: Pair, mints: Sequence[Mint], baseline: int) -> Audit:
    """Compare what the wallets and their tokens hold with what the mints owe."""
    left = await settle(pair)
    owed, spent = -baseline, set[str]()
    for each in mints:
        owed += owed_at(each)
        with _books(each) as books:
            spent |= {y for (y,) in books.execute("SELECT y FROM proofs_used")}
    live = dead = 0
    for _, store in pair.both():
        for amount, secret, state in await store.run(
            lambda tx: tx.rows("SELECT amount, secret, state FROM proofs")
        ):
            if secret_to_y(secret).hex() not in spent:
                live += amount
            elif state != "sent":  # a token that was redeemed stays in the books of its sender
                dead += amount
    return Audit(max(0, owed - live), dead + max(0, live - owed), left)


def owed_at(mint: Mint) -> int:
    """What a mint has signed and not taken back yet; sat."""
    with _books(mint) as books:
        (signed,) = books.execute(
            "SELECT coalesce(sum(amount), 0) FROM promises WHERE c_ IS NOT NULL"
        ).fetchone()
        (taken,) = books.execute("SELECT coalesce(sum(amount), 0) FROM proofs_used").fetchone()
    return int(signed) - int(taken)


def _books(mint: Mint) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{mint.books}?mode=ro", uri=True))


async def live(folder: Path, mints: Sequence[Mint], baseline: int, seed: int, say: Say) -> None:
    """Audit, then move money until the end comes from outside."""
    rng = random.Random(seed)
    parent = os.getppid()
    async with opened(folder, mints) as pair:
        say(asdict(await audit(pair, mints, baseline)))
        names = list(MOVES)
        while os.getppid() == parent:
            url = rng.choice(mints).url
            poor = await available(pair.client, url) < FLOOR_SAT
            name = "mint" if poor else rng.choice(names)
            say({"begin": name})
            try:
                await MOVES[name](pair, url, rng, mints)
            except WalletError as error:
                say({"error": error.code})


async def only_audit(folder: Path, mints: Sequence[Mint], baseline: int, say: Say) -> None:
    """The last life: nobody kills it."""
    async with opened(folder, mints) as pair:
        say(asdict(await audit(pair, mints, baseline)))


def line_writer(handle: int) -> Say:
    """One JSON line a call, written at once."""

    def say(value: object) -> None:
        os.write(handle, json.dumps(value).encode() + b"\n")

    return say
