"""The sessions of all chats: one per chat, one spare opened ahead of need, idle ones settled.

A chat that has shown itself to a ghost goes on with that ghost alone, over new circuits. Knows
nothing of questions and answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import trio

from engine.errors import GhostError, Peer2PromptError
from engine.log import say
from engine.log.events_client import SessionUnready
from engine.log.words import Code
from engine.market.client_asking import Footing
from engine.session.habits import Habits
from engine.session.moving import ELSEWHERE
from engine.session.opening import Pinned, SessionOpener, Surroundings
from engine.session.pinning import Pinning
from engine.session.preferences import Preferences
from engine.wire.quote import Quote
from engine.wire.receipt import FIRST, receipt_hash
from engine.wire.shape import ShapePlan
from wallet.errors import WalletError

SETTLE_IDLE_S = 90.0  # a chat that rests this long gets its unspent credit back
MSAT_PER_SAT = 1_000
MAX_ALWAYS_ON = 2  # sessions whose circuits run all the time, besides the spare
SPARE_AFTER_S = 1.0  # a question goes first
SILENCE_CHECK_S = 5.0
MAX_NUMBER = 2**31


class SessionDesk(SessionOpener):
    """Keeps the sessions of all chats."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._now = time.time
        self.claimed: set[str] = set()
        """Sessions of an earlier run that are not to be reclaimed: answers of theirs go on."""
        self.habits = Habits()
        self._pinned: dict[str, Pinned] = {}
        self._spare: Pinned | None = None
        self._apart: dict[str, Pinned] = {}
        self._warming = trio.Lock()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reclaim what was left, settle what rests, until cancelled."""
        saved = await self._vault.load_all()
        await self.witness.load()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for record in saved:
                if record.name not in self.claimed:
                    nursery.start_soon(self.reclaim, record)
            nursery.start_soon(self._watch_silence)
            nursery.start_soon(self.offers.run)
            nursery.start_soon(self.witness.run)
            task_status.started()
            try:
                await self._settle_idle()
            finally:
                self._nursery = None

    async def close(self) -> None:
        """Settle and leave every session; what cannot be settled now is reclaimed at next start."""
        self._closing = True  # what stands at mailboxes expires there
        pinned = [*self._pinned.values(), *self._apart.values()]
        pinned += [self._spare] if self._spare else []
        self._pinned, self._apart, self._spare = {}, {}, None
        async with trio.open_nursery() as nursery:
            for one in pinned:
                nursery.start_soon(self.leave, one)
        await self.witness.flush()

    def wake(self) -> None:
        """The machine slept: no circuit of before is of use, and lost answers go on at once."""
        for pinned in self.open_sessions:
            pinned.route.drop("this machine slept")
            pinned.session.hurry()

    async def _watch_silence(self) -> None:
        """Drop circuits that should bring a cell at every tick and bring none."""
        while True:
            await trio.sleep(SILENCE_CHECK_S)
            for pinned in self.open_sessions:
                if pinned.silence.is_silent(pinned.route.mark, due=pinned.route.in_run):
                    pinned.route.drop("no cell came for too long")

    async def warm(self) -> None:
        """Open a spare session ahead of need, if there is none and the wallet can prepay it."""
        async with self._warming:
            if self._spare is not None or not await self._funded():
                return
            try:
                self._spare = await self._open_any(self.chooser.want(None), self._shapes.default)
            except (Peer2PromptError, WalletError) as error:
                say(SessionUnready(Code.of(error)))

    def warm_soon(self) -> None:
        """Open a spare session in the background."""
        if self._nursery is not None:
            self._nursery.start_soon(self.warm)

    def warm_beside(self, pinned: Pinned) -> None:
        """Open the next spare session beside a question that has just been asked, so that the next
        new chat starts as quickly; if the wallet can pay for both, else once the run has ended.

        Never when the answer is done: a circuit built then would show the guard when that was. On
        a line that is always on any moment would show something: there the next chat opens its own.
        """
        if self._nursery is not None and not self._shapes.default.always_on:
            self._nursery.start_soon(self._warm_beside, pinned)

    async def _warm_beside(self, pinned: Pinned) -> None:
        await trio.sleep(SPARE_AFTER_S)
        if not await self._pays_for_both(pinned.quote):
            while pinned.asking:
                await trio.sleep(SPARE_AFTER_S)
            await pinned.route.wait_quiet()
        await self.warm()

    async def _pays_for_both(self, quote: Quote | None) -> bool:
        need_msat = 0 if quote is None else quote.cap_msat + quote.chunk_msat
        balances = await self._wallet.balances()
        return any(b.available_sat * MSAT_PER_SAT >= need_msat for b in balances)

    async def _funded(self) -> bool:
        return any(balance.available_sat for balance in await self._wallet.balances())

    async def session_for(
        self,
        chat: str,
        want: Preferences,
        plan: ShapePlan,
        on_building: Callable[[], None],
        known: Pinning | None = None,
    ) -> Pinned:
        """The chat's pinned session, else one with the ghost that knows the chat; else, for a chat
        that none knows, the spare or a new one. `on_building` tells."""
        pinned = self._pinned.get(chat)
        if pinned is not None and pinned.fits(want, plan):
            self.habits.next(trio.current_time() - pinned.last_used)
            return pinned
        if pinned is not None:
            await self.let_go(chat)
        if known is not None:
            on_building()
            pinned = await self._reopen(known, want, plan)
        elif (pinned := await self._take_spare(want, plan)) is not None:
            self.habits.first(trio.current_time() - pinned.last_used)
        else:
            on_building()
            pinned = await self._open_any(want, plan)
            self.habits.first(0.0)
        self._pinned[chat] = pinned
        if plan.always_on:
            self._bound_always_on()
        return pinned

    async def _reopen(self, known: Pinning, want: Preferences, plan: ShapePlan) -> Pinned:
        """A session with the ghost of an earlier one; that one itself, if it was left in good
        order. Raises GhostError when the ghost does not offer what is wanted."""
        footing = await self._footing(known)
        saved = known.saved if footing is not None else None
        pinned = self.open_session(known.ghost, plan, saved, footing)
        pinned.model, pinned.why = want.model or "", "it knows this chat already"
        try:
            await self._connect(pinned)
            if not pinned.serves(want):
                raise GhostError(
                    "The ghost of this chat does not serve this model.",
                    reason=ELSEWHERE,
                    kept="Nothing was paid; the question is kept in the chat.",
                    hint="Choose a model it serves, or let another ghost see the chat.",
                )
            await pinned.session.open()
        except (Peer2PromptError, WalletError) as error:
            pinned.route.drop("the session could not be opened")
            self._gone(pinned)
            if getattr(error, "reason", "") != ELSEWHERE:
                self.witness.no_way(known.ghost, error)
            raise
        self._stock(pinned)
        return pinned

    async def _footing(self, known: Pinning) -> Footing | None:
        """Where the numbers of an earlier session go on; None when its credit is not back yet.

        Questions are numbered by the seconds since the first, so that each is above all before."""
        saved = known.saved
        if any(one.name == saved.name for one in await self._vault.load_all()):
            return None
        rows = await self._store.receipts.list(saved.hash, side="client")
        n, head = (rows[-1].n, receipt_hash(rows[-1].raw)) if rows else (0, FIRST)
        number = min(MAX_NUMBER, max(known.pin.messages, int(self._now() - known.pin.since)))
        return Footing(q=number, n=number, receipt_n=n, receipt_head=head)

    def open_for(self, chat: str) -> Pinned | None:
        """The session that the chat has now."""
        return self._pinned.get(chat)

    def spare_for(self, want: Preferences, plan: ShapePlan) -> Pinned | None:
        """The spare, if a question like this would go over it."""
        spare = self._spare
        return spare if spare is not None and spare.fits(want, plan) else None

    async def open_apart(self, name: str, want: Preferences, plan: ShapePlan) -> Pinned:
        """A session for test questions: opened like a chat's, and waiting like a spare until
        `take_apart`. It is never the spare that a chat is to find ready."""
        pinned = self._apart[name] = await self._open_known(want, plan)
        return pinned

    def take_apart(self, name: str) -> bool:
        """From now on the session is kept and left like a chat's; False when it is gone."""
        pinned = self._apart.pop(name, None)
        if pinned is not None:
            pinned.last_used = trio.current_time()
            self._pinned[name] = pinned
        return pinned is not None

    def stop_soon(self, pinned: Pinned) -> None:
        """Stop the running answer of a session in the background."""
        if self._nursery is not None:
            self._nursery.start_soon(pinned.session.cancel)

    def _bound_always_on(self) -> None:
        """Leave the always-on sessions used longest ago when there are too many: each costs its
        full rate for as long as it lives. A circuit has just been taken, so this tells nothing."""
        resting = [
            chat
            for chat, one in sorted(self._pinned.items(), key=lambda item: item[1].last_used)
            if one.route.plan.always_on and not one.asking
        ]
        for chat in resting[: max(0, len(resting) - MAX_ALWAYS_ON)]:
            if self._nursery is not None:
                self._nursery.start_soon(self.leave, self._pinned.pop(chat))

    async def let_go(self, chat: str) -> None:
        """Leave the session of a chat that is deleted."""
        pinned = self._pinned.pop(chat, None)
        if pinned is not None:
            await self.leave(pinned)

    def let_go_beside(self, chat: str) -> None:
        """The same, while its next question goes on elsewhere: a ghost that does not answer is not
        waited for."""
        pinned = self._pinned.pop(chat, None)
        if pinned is not None:
            self.beside(partial(self.leave, pinned))

    async def _take_spare(self, want: Preferences, plan: ShapePlan) -> Pinned | None:
        if want.weights != self.chooser.wishes.weights:
            return None  # the spare was chosen by other weights
        async with self._warming:  # a spare that is being opened is worth waiting for
            spare = self._spare
            if spare is None or not spare.fits(want, plan):
                return None
            self._spare = None
            return spare

    async def _settle_idle(self) -> None:
        while True:
            await trio.sleep(SETTLE_IDLE_S / 6)
            for chat, pinned in list(self._pinned.items()):
                now = trio.current_time()
                if pinned.asking or pinned.route.in_run:
                    # Rest counts from the end of the run: from the end of the answer it would
                    # tell the guard, by the run that settles, when that was.
                    pinned.last_used = now
                elif now - pinned.last_used > SETTLE_IDLE_S:
                    await self._settle_rested(chat, pinned)

    async def _settle_rested(self, chat: str, pinned: Pinned) -> None:
        """Get its credit back, and close its circuit unless that is always on."""
        pinned.last_used = trio.current_time()
        if not pinned.route.plan.always_on:
            del self._pinned[chat]
            await self.leave(pinned)
        elif pinned.session.credit_msat >= MSAT_PER_SAT:
            await self.settle(pinned)
