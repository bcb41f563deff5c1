"""Notes what the program sees of ghosts, where it sees it: in memory at once, in the store soon.

How a question ended is judged (`engine.session.outcome`), rounded, and added to the client's
opinions; what a ghost signed against itself is kept as evidence. No text is kept: an answer is
looked at once, for words that must not be in it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

import trio

from engine.errors import WireError
from engine.log import say
from engine.log.events_client import EvidenceKept, SightingsLost, SightingUnkept
from engine.log.words import Code, Named
from engine.market.evidence import find_evidence, prove
from engine.market.observations import GRAVE, Observation, Seen, observe
from engine.market.reputation import Reputation
from engine.session.choice import usual_msat
from engine.session.outcome import Outcome, judge, judge_way
from engine.wire.evidence import HEADER_LINE, KINDS, MAX_FILE_BYTES, Evidence
from engine.wire.quote import Quote
from wallet.errors import WalletError
from wallet.store import SeenRow, SignedPiece, Store

QUEUE = 1_000
"""Notes on their way to the store; beyond that they are only in memory."""
PRUNE_S = 6 * 3_600.0
EARLIER = 8
"""Receipts of a session that a refused one is held against."""
TRUST, BAN = "trust", "ban"
_KNOWN = frozenset(seen.value for seen in Seen)
"""A later program may have written down others."""
_WORDS = re.compile(r"[A-Za-z]+")

Job = Callable[[], Awaitable[None]]


class Witness:
    """Everything this client has seen of ghosts."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], float] = time.time,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.reputation = Reputation()
        self.now = now
        self.book = store.evidence
        self._receipts = store.receipts
        self._on_change = on_change
        self._canaries: dict[str, bytes] = {}
        self._expected = ""
        self._quotes: set[bytes] = set()
        self._to_do, self._jobs = trio.open_memory_channel[Job](QUEUE)

    def __repr__(self) -> str:
        return f"Witness({self.reputation!r})"

    async def load(self) -> None:
        """Take up what earlier processes saw."""
        await self.book.prune()
        for row in await self.book.observations():
            if row.seen in _KNOWN:
                self.reputation.note(row.ghost, _observation(row))
        for ghost, mark, at in await self.book.marks():
            if mark == TRUST:
                self.reputation.trust(ghost)
            elif mark == BAN:
                self.reputation.ban(ghost, at)
        self._canaries = await self.book.canaries()

    async def run(self) -> None:
        """Write down what was seen, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._prune)
            async for job in self._jobs:
                await self._do(job)

    async def flush(self) -> None:
        """Write down what still waits."""
        while True:
            try:
                job = self._jobs.receive_nowait()
            except trio.WouldBlock:
                return
            await self._do(job)

    async def _do(self, job: Job) -> None:
        try:
            await job()
        except WalletError as error:
            say(SightingUnkept(Code.of(error)))

    async def _prune(self) -> None:
        while True:
            await trio.sleep(PRUNE_S)
            await self._do(self.book.prune)

    # -- what is seen ----------------------------------------------------------------------------

    def note(
        self, ghost: bytes, seen: Seen, *, model: str = "", ttft_ms: float = 0, rate: float = 0,
        price: int = 0,
    ) -> None:  # fmt: skip
        """Something was seen of a ghost just now."""
        now = self.now()
        one = observe(seen, now, model=model, ttft_ms=ttft_ms, rate=rate, price=price)
        self.reputation.note(ghost, one, now)
        row = SeenRow(ghost, seen.value, one.at, model, one.ttft_ms, one.rate, one.price)
        self._later(lambda: self.book.note(row, grave=seen in GRAVE))
        self._on_change()

    def ended(self, ghost: bytes, outcome: Outcome) -> None:
        """A question to a ghost came to its end."""
        seen = judge(outcome)
        if seen is not None:
            self.note(
                ghost,
                seen,
                model=outcome.model,
                ttft_ms=outcome.ttft_ms,
                rate=outcome.rate,
                price=_price(outcome),
            )
        if seen is Seen.ANSWERED and outcome.quote:
            self._keep_quote(ghost, outcome.quote)
        if outcome.disputed:
            self._later(lambda: self._look_for_evidence(outcome))
        self._look_for_canaries(outcome.text)

    def no_way(self, ghost: bytes, error: Exception) -> None:
        """No session with a ghost could be opened, or one could not be settled."""
        seen = judge_way(error)
        if seen is not None:
            self.note(ghost, seen)

    def _later(self, job: Job) -> None:
        try:
            self._to_do.send_nowait(job)
        except trio.WouldBlock:
            say(SightingsLost())

    def _keep_quote(self, ghost: bytes, raw: bytes) -> None:
        quote_id = Quote.decode(raw).id
        if quote_id not in self._quotes:
            self._quotes.add(quote_id)
            self._later(lambda: self.book.keep_quote(ghost, quote_id, raw))

    # -- evidence --------------------------------------------------------------------------------

    async def _look_for_evidence(self, outcome: Outcome) -> None:
        kept = await self._receipts.list(outcome.session, side="client")
        earlier = [receipt.raw for receipt in kept[-EARLIER:]]
        for evidence in find_evidence(outcome.quote, earlier, outcome.disputed):
            await self._keep(evidence, own=True)

    async def _keep(self, evidence: Evidence, *, own: bool) -> bool:
        found = prove(evidence)
        piece = SignedPiece(evidence.digest, found.ghost, found.kind, evidence.encode(), own)
        new = await self.book.keep(piece)
        if new:
            say(EvidenceKept(Named.among(found.kind, KINDS)))
        return new

    async def take_in(self, documents: Iterable[Evidence]) -> tuple[int, int]:
        """Somebody else's evidence: (new and proven, not proven). Each counts a little."""
        new = bad = 0
        for evidence in documents:
            try:
                found = prove(evidence)
            except WireError:
                bad += 1
                continue
            if await self._keep(evidence, own=False):
                new += 1
                self.note(found.ghost, Seen.TOLD, model=found.model)
        return new, bad

    async def own_evidence(self) -> list[bytes]:
        """The documents that came out of sessions of ours: the newest, as far as a file goes."""
        found: list[bytes] = []
        room = MAX_FILE_BYTES - len(HEADER_LINE) - 1
        for piece in reversed([one for one in await self.book.pieces() if one.own]):
            room -= 4 * (len(piece.raw) // 3 + 1) + 1  # a line of base64
            if room >= 0:
                found.append(piece.raw)
        return found

    # -- words told to one ghost alone -----------------------------------------------------------

    async def tell_canary(self, ghost: bytes, word: str) -> None:
        """Written down before a ghost is told the word."""
        await self.book.add_canary(word.lower(), ghost)
        self._canaries[word.lower()] = ghost

    @property
    def canaries(self) -> int:
        """How many words are watched for."""
        return len(self._canaries)

    @contextmanager
    def expecting(self, word: str) -> Iterator[None]:
        """While the ghost that is told a word answers, the word means nothing."""
        self._expected = word.lower()
        try:
            yield
        finally:
            self._expected = ""

    def _look_for_canaries(self, text: str) -> None:
        """Whoever says it: no one but the ghost that was told, and its provider, can know it."""
        if not self._canaries or not text:
            return
        for word in {found.group().lower() for found in _WORDS.finditer(text)}:
            told = self._canaries.get(word)
            if told is not None and word != self._expected:
                self.note(told, Seen.CANARY)

    # -- the user's word -------------------------------------------------------------------------

    async def trust(self, ghost: bytes) -> None:
        """Never in quarantine, never a newcomer."""
        await self.book.mark(ghost, TRUST)
        self.reputation.trust(ghost)
        self._on_change()

    async def ban(self, ghost: bytes) -> None:
        """Never asked unless named."""
        await self.book.mark(ghost, BAN)
        self.reputation.ban(ghost, self.now())
        self._on_change()

    async def forget(self, ghost: bytes) -> None:
        """As if it had never been met; words it was told are still watched for."""
        await self.flush()
        await self.book.forget(ghost)
        self.reputation.forget(ghost)
        self._on_change()


def _observation(row: SeenRow) -> Observation:
    return Observation(Seen(row.seen), row.at, row.model, row.ttft_ms, row.rate, row.price)


def _price(outcome: Outcome) -> int:
    """What a usual question to the model costs under the quote of the answer."""
    if not outcome.quote:
        return 0
    offer = Quote.decode(outcome.quote).offer(outcome.model)
    return 0 if offer is None else usual_msat(offer.in_price, offer.out_price)
