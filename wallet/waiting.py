"""Waiting for a mint: until an invoice is paid, a payment is decided, or a token is taken.

Where the mint tells of it (NUT-17) one live connection is held while somebody waits, else the mint
is asked again and again, ever more rarely. A connection that stays is seen by the mint and holds a
circuit open, so callers wait only while somebody looks on. News are a reason to look, never the
word that counts: what is believed is an answer to a question.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence

import trio

from wallet.ecash.curve import secret_to_y
from wallet.ecash.subscriptions import MAX_NAMES, Topic
from wallet.errors import BadAmount, MintUnreachable
from wallet.live import Feed
from wallet.mints import MintBook
from wallet.sent import WAITING, SentDesk
from wallet.transfers import Transfers
from wallet.types import MeltResult, MintQuote, SentToken, Waited

# Between two questions without a live connection, and with one that has said nothing.
FIRST_S, LAST_S, SILENCE_S = 2.0, 15.0, 60.0
MAX_WAIT_S = 6 * 3600.0
# The state when it is final, None while it is not.
Look = Callable[[], Awaitable[str | None]]


class Waiting:
    def __init__(self, mints: MintBook, transfers: Transfers, sent: SentDesk) -> None:
        self._mints = mints
        self._transfers = transfers
        self._sent = sent
        self._rng = random.SystemRandom()

    async def fund(self, quote_id: str, mint: str, timeout_s: float) -> Waited:
        """Until an invoice is paid; its ecash is not taken yet."""
        row = await self._transfers.mint_row(quote_id, mint)

        async def look() -> str | None:
            quote: MintQuote = await self._transfers.check_mint(quote_id, row.mint)
            return quote.state if quote.state in ("PAID", "ISSUED") else None

        waited = _Wait(look, timeout_s, self._rng)
        return await waited.run(self._mints, row.mint, Topic.MINT_QUOTE, [quote_id])

    async def melt(self, quote_id: str, mint: str, timeout_s: float) -> Waited:
        """Until a payment that was begun is decided, and booked: PAID, or MintError is raised."""
        row = await self._transfers.melt_row(quote_id, mint)
        await self._transfers.require_begun(row)

        async def look() -> str | None:
            result: MeltResult = await self._transfers.melt(quote_id, row.mint)
            return result.state if result.paid else None

        waited = _Wait(look, timeout_s, self._rng)
        return await waited.run(self._mints, row.mint, Topic.MELT_QUOTE, [quote_id])

    async def sent(self, op_id: str, timeout_s: float) -> Waited:
        """Until a token that was handed out is taken."""
        token = await self._sent.get(op_id)
        ys = [secret_to_y(coin.secret).hex() for coin in await self._sent.coins(op_id)]

        async def look() -> str | None:
            found: SentToken = await self._sent.check(op_id)
            return None if found.state == WAITING else found.state

        waited = _Wait(look, timeout_s, self._rng)
        return await waited.run(self._mints, token.mint, Topic.PROOF_STATE, ys, stranger=True)


class _Wait:
    """One wait: first a look, then news or patience."""

    def __init__(self, look: Look, timeout_s: float, rng: random.Random) -> None:
        if not 0 < timeout_s <= MAX_WAIT_S:
            raise BadAmount("A wait lasts up to 21,600 seconds.")
        self._look = look
        self._timeout_s = timeout_s
        self._rng = rng
        self._live = False

    async def run(
        self,
        mints: MintBook,
        url: str,
        topic: Topic,
        names: Sequence[str],
        *,
        stranger: bool = False,
    ) -> Waited:
        """Raises what the first look raises; later ones that get no answer are repeated."""
        state = await self._look()
        if state is None:
            with trio.move_on_after(self._timeout_s):
                if mints.tells(url, topic) and 0 < len(names) <= MAX_NAMES:
                    state = await self._listen(mints, url, topic, names, stranger)
                if state is None:
                    state = await self._ask()
        return Waited(state or "", self._live)

    async def _listen(
        self, mints: MintBook, url: str, topic: Topic, names: Sequence[str], stranger: bool
    ) -> str | None:
        """By news; None when the connection ends before."""
        known = dict.fromkeys(names, "")
        try:
            async with mints.feed(url, topic, names, stranger=stranger) as feed:
                self._live = True
                while True:
                    with trio.move_on_after(SILENCE_S):
                        await _fresh(feed, known)
                    if (state := await self._look()) is not None:
                        return state
        except MintUnreachable:
            self._live = False
            return None

    async def _ask(self) -> str | None:
        """By asking, ever more rarely."""
        delay = FIRST_S
        while True:
            await trio.sleep(delay * self._rng.uniform(0.8, 1.2))
            delay = min(LAST_S, delay * 1.3)
            try:
                if (state := await self._look()) is not None:
                    return state
            except MintUnreachable:
                continue


async def _fresh(feed: Feed, known: dict[str, str]) -> None:
    """Until a state is told that is not known yet."""
    while True:
        news = await feed.next()
        if known.get(news.name, news.state) != news.state:
            known[news.name] = news.state
            return
