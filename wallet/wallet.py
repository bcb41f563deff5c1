"""The wallet: one door to mints, tokens, invoices, payments, restore and recovery.

Knows nothing of circuits: it is handed an HTTP transport per mint. Every money move is journalled
by the parts behind this door (transfers, market) and moved by the executor.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from mnemonic import Mnemonic

from wallet.accounts import SAT, unit_of
from wallet.address import invoice_for, is_address
from wallet.balancing import Balancing
from wallet.chunks import Chunks
from wallet.earning import Earning
from wallet.ecash.conditions import Lock
from wallet.ecash.deterministic import Seed
from wallet.errors import (
    InsufficientFunds,
    StoreDamaged,
)
from wallet.executor import Executor
from wallet.forgetting import forget
from wallet.funding import request_spread
from wallet.handover import Handover
from wallet.health import SOON_S
from wallet.keyring import KeyRing
from wallet.looking import balances, look_at
from wallet.market import Market
from wallet.market_door import MarketDoor
from wallet.mints import MintBook, TransportFor
from wallet.moving import collect, move
from wallet.opening import Opener
from wallet.parts import Part, pay_parts, quote_best, quote_parts
from wallet.paying import Paying
from wallet.policy import Policy, decode, encode
from wallet.recovery import recover
from wallet.restore import catch_up, restore, restore_all
from wallet.sent import SentDesk
from wallet.store import Store, keeping
from wallet.store.ledger import HistoryEntry
from wallet.transfers import Transfers
from wallet.types import (
    MeltQuote,
    MeltResult,
    MintBalance,
    MintFacts,
    MintQuote,
    Moved,
    PaidRequest,
    RecoveryNote,
    RestoreReport,
    SentToken,
)
from wallet.waiting import Waiting

SEED_BITS = 128  # twelve words
TIMEOUT_S = 30.0
POLICY_KEY = "wallet.policy"
PRUNE_AFTER_S = 90 * 86_400


class Wallet(MarketDoor):
    """One seed, many mints, each unit of one an account of its own (`wallet.accounts`)."""

    def __init__(
        self,
        store: Store,
        transport_for: TransportFor | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        post: TransportFor | None = None,
        policy: Policy | None = None,
        second: TransportFor | None = None,
    ) -> None:
        """`transport_for` reaches mints. `post` reaches hosts that strangers name, in payment
        requests and Lightning addresses: hand in only what hides who asks (a circuit); without
        it none is asked.
        `policy` holds until the user has chosen another one. `second` reaches mints on a way that
        shares nothing with the first: keysets are compared over it."""
        self._store = store
        self._post = post
        self._policy = policy or Policy()
        self._rng = random.SystemRandom()
        self._mints = MintBook(store, transport_for, timeout_s, second)
        self._unfinished: set[str] = set()
        self._transfers: Transfers
        self._paying: Paying
        self._keys: KeyRing
        # Tokens that were handed out: what became of them, and taking them back.
        self.sent: SentDesk
        # Moves between mints with their fees first, and evening out.
        self.balancing: Balancing
        # Waiting for a mint while somebody looks on.
        self.waiting: Waiting
        self._executor: Executor
        self._seed: Seed

    async def open(self) -> None:
        """Load (or make) the seed words and the list of mints. Asks no mint; `recover` does."""
        words = Mnemonic("english")
        fresh = words.generate(SEED_BITS).encode()
        stored = await self._store.secrets.put_if_absent("wallet", "words", fresh)
        phrase = stored.decode()
        if not words.check(phrase):
            raise StoreDamaged("The seed words in the store are damaged.")
        self._seed = seed = Seed(Mnemonic.to_seed(phrase))
        chosen = await self._store.settings.get(POLICY_KEY)
        if chosen is not None:
            self._policy = decode(chosen)
        await self._mints.load()
        self._keys = KeyRing(self._store, seed)
        opener = Opener(self._keys, seed, self._store.clock)
        self._executor = Executor(self._store, seed, self._mints, opener)
        self._transfers = Transfers(self._store, self._mints, self._executor, self._rest_s)
        self._handover = Handover(
            self._store,
            self._mints,
            self._executor,
            opener,
            self._rest_s,
        )
        self.sent = SentDesk(self._store, self._mints, self._handover.receive)
        self.balancing = Balancing(self._store, self._mints, self._transfers)
        self.waiting = Waiting(self._mints, self._transfers, self.sent)
        self._paying = Paying(self._store, self._mints, self._handover, self._keys, self._post)
        self._market = Market(self._store, seed, self._mints, self._executor)
        self._earning = Earning(self._store, self._mints, self._executor, self._keys)
        self.chunks = Chunks(self._store, self._mints, self._executor, self._keys, opener)
        await self._store.run(lambda tx: tx.operations.prune(self._store.clock() - PRUNE_AFTER_S))
        if await keeping.is_brought_back(self._store):
            self._mints.unsure = set(self._mints.urls())
        rows = await self._store.run(lambda tx: tx.operations.open())
        self._unfinished = {row.op_id for row in rows}

    async def aclose(self) -> None:
        """Close the connections to the mints."""
        await self._mints.aclose()

    # -- recovery

    async def recover(self) -> list[RecoveryNote]:
        """Bring every operation that `open` found unfinished, or that was left since, as far as it
        goes now: forward, never back while the mint may still act on it. Call it again while any
        is waiting or held. Payments in the hands of a running session are left alone."""
        return await recover(self._store, self._executor, self._unfinished | self._executor.left)

    async def open_operations(self) -> int:
        """How many money moves are not at their end."""
        return len(await self._store.run(lambda tx: tx.operations.open()))

    # -- looking

    async def balances(self, *, every_unit: bool = False) -> list[MintBalance]:
        """One row per mint on the list, in the order they were added: those in sat, which can be
        added up and pay for answers, or with `every_unit` all."""
        return await balances(self._store, self._mints, every_unit=every_unit)

    async def history(
        self, limit: int = 50, text: str = "", mint: str = "", offset: int = 0
    ) -> list[HistoryEntry]:
        """What moved, the newest first, after `offset` of it; with `text` or `mint` only what has
        it in its words or was there."""
        return await self._store.run(lambda tx: tx.history.latest(limit, text, mint, offset))

    async def seed_words(self) -> str:
        """The twelve words that restore the wallet. For the user's eyes only."""
        stored = await self._store.secrets.get("wallet", "words")
        return (stored or b"").decode()

    # -- mints, invoices, tokens

    def mints(self) -> list[str]:
        """The accounts on the list, in the order they were added: addresses, with `#unit` where it
        is not sat."""
        return self._mints.urls()

    async def add_mint(self, url: str) -> str:
        """Trust a mint; returns its address in normal spelling."""
        return await self._mints.add(url)

    async def forget_mint(self, url: str) -> str:
        """Take a mint off the list; its address in normal spelling. Raises MintProblem while
        anything of ours is there."""
        return await forget(url, self._store, self._mints)

    async def look_at_mint(self, url: str) -> MintFacts:
        """What a mint says of itself, before the user trusts it."""
        return await look_at(self._mints, url)

    async def refresh_mint(self, url: str) -> None:
        """Ask a mint on the list for new or retired keys and its state."""
        await self._mints.refresh(self._mints.require(url))

    async def move(self, source: str, target: str, amount_sat: int) -> Moved:
        """Move ecash from mint to mint by a Lightning payment between them. What is under way
        when this fails is finished by `recover` and `collect`."""
        return await move(self._transfers, source, target, amount_sat)

    async def collect(self) -> int:
        """Take the ecash of invoices that were paid while nobody looked; sat."""
        return await collect(self._store, self._transfers)

    async def restore_all(self, progress: Callable[[RestoreReport], None]) -> list[RestoreReport]:
        """Find the ecash of the seed words at every mint on the list; `progress` is called after
        each. One that does not answer raises MintProblem at the end, after all the others."""
        return await restore_all(self._store, self._seed, self._mints, progress)

    async def request_mint(self, url: str, amount_sat: int) -> MintQuote:
        """Ask for an invoice that funds this wallet (NUT-04)."""
        return await self._transfers.request_mint(url, amount_sat)

    async def check_mint(self, quote_id: str, mint: str = "") -> MintQuote:
        """Whether the invoice is paid. Names of quotes are chosen by mints: without `mint`
        UnknownOperation is raised when several gave the same."""
        return await self._transfers.check_mint(quote_id, mint)

    async def complete_mint(self, quote_id: str, mint: str = "") -> int:
        """Take the ecash of a paid invoice; sat."""
        return await self._transfers.complete_mint(quote_id, mint)

    async def send(
        self, url: str, amount_sat: int, memo: str = "", lock: Lock | None = None
    ) -> str:
        """A token (V4) worth `amount_sat`, locked when a lock is given."""
        return await self._handover.send(url, amount_sat, memo, lock)

    async def receive(self, token: str, *, allow: bool = False, preimage: str = "") -> int:
        """Swap a token to ourselves; sat. `allow` adds its mint to the list; `preimage` (hex)
        opens ecash locked to its hash."""
        return await self._handover.receive(token, allow=allow, preimage=preimage)

    async def lock_key(self) -> str:
        """A fresh public key that others may lock ecash to (NUT-11), in hex."""
        return await self._keys.fresh()

    async def cosign(self, token: str) -> str:
        """A token locked to several keys, with our signatures added."""
        return await self._handover.cosign(token)

    async def request(
        self, amount_sat: int | None = None, description: str = "", *, locked: bool = True
    ) -> str:
        """A payment request (NUT-18); without an amount the payer chooses."""
        return await self._paying.create(amount_sat, description, locked=locked)

    async def pay_request(self, text: str, amount_sat: int | None = None) -> PaidRequest:
        """Pay a payment request."""
        return await self._paying.pay(text, amount_sat)

    async def sent_tokens(self, limit: int = 50) -> list[SentToken]:
        """Tokens made here, the newest first, and what is known of them."""
        return await self.sent.recent(limit)

    async def split_ahead(self, url: str, amounts_sat: Sequence[int]) -> None:
        """Have the coins ready for these exact payments, so that none hands out more."""
        await self._handover.split_ahead(url, amounts_sat)

    async def melt_quote(self, url: str, invoice: str, amount_sat: int | None = None) -> MeltQuote:
        """What paying an invoice costs (NUT-05). For a Lightning address, which needs the amount,
        an invoice is asked of its host first."""
        if not is_address(invoice):
            return await self._transfers.melt_quote(url, invoice)
        url = self._mints.require_sat(url, "A Lightning address is paid")
        made = await invoice_for(invoice, amount_sat, self._post)
        return await self._transfers.melt_quote(url, made)

    async def melt(self, quote_id: str, mint: str = "") -> MeltResult:
        """Pay the invoice of a quote."""
        return await self._transfers.melt(quote_id, mint)

    async def melt_is_open(self, quote_id: str, mint: str = "") -> bool:
        """Whether the payment of a quote was begun and is not at its end."""
        return await self._transfers.is_open(quote_id, mint)

    async def parts_quote(self, invoice: str, parts: Mapping[str, int]) -> list[MeltQuote]:
        """What paying one invoice from several mints costs; `parts` is sat by mint (NUT-15)."""
        return await quote_parts(self._transfers, self._mints, invoice, parts)

    async def pay_quote(self, invoice: str, amount_sat: int | None = None) -> list[MeltQuote]:
        """How the wallet would pay an invoice, or a Lightning address, from what it has where: one
        mint, or parts of several when none has enough."""
        if is_address(invoice):
            invoice = await invoice_for(invoice, amount_sat, self._post)
        return await quote_best(self._transfers, self._mints, self._store, invoice)

    async def pay_parts(self, parts: Sequence[Part]) -> list[MeltResult]:
        """Pay all parts, each (mint, quote), at once. Each may come back as paid, failed or
        undecided."""
        return await pay_parts(self._transfers, parts)

    async def catch_up(self) -> list[RestoreReport]:
        """After a backup was brought back: find at each mint what came since, strike out what
        went, and only then use its counters again. Raises MintProblem while one does not answer;
        call it again then. Nothing to do for any other store."""
        return await catch_up(self._store, self._seed, self._mints)

    async def restore(self, url: str) -> RestoreReport:
        """Find the ecash of the seed words at one mint (NUT-09, NUT-13)."""
        return await restore(url, self._store, self._seed, self._mints)

    # -- privacy

    @property
    def policy(self) -> Policy:
        """How incoming and outgoing money are kept apart."""
        return self._policy

    async def set_policy(self, policy: Policy) -> None:
        """Choose another policy, for what comes from now on. Raises BadAmount."""
        await self._store.settings.set(POLICY_KEY, encode(policy.checked()))
        self._policy = policy

    async def wake(self) -> int:
        """Let coins that rest be spent now; sat."""
        return await self._store.run(lambda tx: tx.proofs.wake())

    async def request_spread(self, amount_sat: int) -> list[MintQuote]:
        """Invoices that fund this wallet as its policy says: over several mints, for standard
        amounts. One that a mint does not give is left out; MintProblem when none gives any."""
        return await request_spread(
            self._transfers, self._mints, self._policy.parts, self._rng, amount_sat
        )

    async def make_ready(self, url: str) -> None:
        """Have coins for the payments that the policy wants ready, in one swap. Does nothing while
        too little is there to have them all."""
        wanted = self._policy.wanted()
        if not wanted or unit_of(url) != SAT:
            return
        with suppress(InsufficientFunds):
            await self.split_ahead(url, wanted)

    async def keep_even(self) -> int:
        """Even the mints out if the policy says so; how many moves were made."""
        percent = self._policy.even_percent
        return len(await self.balancing.keep_even(percent)) if percent else 0

    async def renew(self, url: str) -> int:
        """Swap coins whose keyset signs no more, or ends soon, for lasting ones; sat."""
        return await self._handover.renew(url, self._store.clock() + SOON_S)

    async def freshen(self, url: str) -> int:
        """Swap every coin of a mint for a fresh one, so that copies are worth nothing."""
        return await self._handover.freshen(url)

    async def keep_health(self) -> None:
        """Write down how the mints have been doing, for the next run."""
        await self._mints.keep_health()

    def _rest_s(self) -> float:
        return self._policy.rest_s(self._rng)
