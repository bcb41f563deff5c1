"""Sessions with ghosts: one per chat, one spare opened ahead of need, idle ones settled.

Each session runs over a route of its own. What an earlier run left with a ghost is asked back.
Knows nothing of questions and answers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import trio

from engine.circuit.shape_menu import ShapeMenu
from engine.control.events import EventBus
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, GhostError, NoRoute, PaymentError, Peer2PromptError
from engine.market.observations import Seen
from engine.market.seams import Mailboxes
from engine.session.chooser import Chooser
from engine.session.client import AskSession
from engine.session.offers import DearerQuote, FindMore, Offers
from engine.session.pickups import PickupShelf, cells_for
from engine.session.preferences import Preferences
from engine.session.route import Route
from engine.session.sheets import SheetBook
from engine.session.vault import SavedSession, SessionVault
from engine.session.watch import SilenceWatch
from engine.session.witness import Witness
from engine.wire.quote import Quote
from engine.wire.shape import ShapePlan
from wallet.errors import WalletError
from wallet.store import Store
from wallet.wallet import Wallet

log = logging.getLogger("peer2prompt.chat")

SETTLE_IDLE_S = 90.0  # a chat that rests this long gets its unspent credit back
MSAT_PER_SAT = 1_000
MAX_ALWAYS_ON = 2  # sessions whose circuits run all the time, besides the spare
SPARE_AFTER_S = 1.0  # a question goes first
SILENCE_CHECK_S = 5.0
RECLAIM_RETRY_S = (2.0, 10.0, 60.0, 300.0)


@dataclass
class Pinned:
    """One AskSession with its route."""

    session: AskSession
    route: Route
    last_used: float
    quote: Quote | None = None
    model: str = ""
    """The one it was chosen for."""
    why: str = ""
    """Why this ghost, in one sentence for its user."""
    asking: bool = False
    shelf: PickupShelf | None = None
    stocking: trio.CancelScope = field(default_factory=trio.CancelScope)
    silence: SilenceWatch = field(default_factory=SilenceWatch)

    def fits(self, want: Preferences, plan: ShapePlan) -> bool:
        """Whether a question for this model and ghost in this shape may go over it."""
        served = want.model is None or _serves(self.quote, want.model)
        named = not want.ghost or self.route.ghost.hex().startswith(want.ghost)
        return served and named and self.route.plan == plan


class SessionDesk:
    """Opens, keeps and leaves the sessions of all chats."""

    def __init__(
        self,
        store: Store,
        wallet: Wallet,
        relays: RelaySet,
        route_to: Callable[[bytes, ShapePlan], Route],
        shapes: ShapeMenu,
        bus: EventBus,
        boxes: Mailboxes | None = None,
        sheets: SheetBook | None = None,
        find_more: FindMore | None = None,
        wishes: Preferences | None = None,
    ) -> None:
        self.claimed: set[str] = set()
        """Sessions of an earlier run that are not to be reclaimed: answers of theirs go on."""
        self._boxes = boxes
        self.open_sessions: list[Pinned] = []
        self._store = store
        self._wallet = wallet
        self._relays = relays
        self._route_to = route_to
        self._shapes = shapes
        self._bus = bus
        self._vault = SessionVault(store)
        self._pinned: dict[str, Pinned] = {}
        self._spare: Pinned | None = None
        self._warming = trio.Lock()
        self.offers = Offers(relays, self._ask_offer, sheets, find_more)
        self.witness = Witness(store, on_change=lambda: bus.publish("market.changed", {}))
        self.chooser = Chooser(self.offers, self.witness, wallet, wishes or Preferences())
        self._nursery: trio.Nursery | None = None
        self._closing = False

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
        pinned = [*self._pinned.values(), *([self._spare] if self._spare else [])]
        self._pinned, self._spare = {}, None
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

    def open_session(
        self, ghost: bytes, plan: ShapePlan, saved: SavedSession | None = None
    ) -> Pinned:
        route = self._route_to(ghost, plan)
        session = AskSession(
            route.open_stream,
            self._wallet,
            self._store,
            saved=saved,
            on_outcome=partial(self.witness.ended, ghost),
        )
        pinned = Pinned(session, route, trio.current_time())
        self.open_sessions.append(pinned)
        return pinned

    def _stock(self, pinned: Pinned) -> None:
        """From now on mailboxes stand by for the answers of this session."""
        quote, nursery = pinned.quote, self._nursery
        if self._boxes is None or nursery is None or quote is None:
            return
        longest = max(offer.max_out for offer in quote.models)
        pinned.shelf = PickupShelf(
            self._boxes, pinned.route.ghost, cells_for(longest), quiet=pinned.route.wait_quiet
        )
        nursery.start_soon(self._keep_stocked, pinned, pinned.shelf)

    @staticmethod
    async def _keep_stocked(pinned: Pinned, shelf: PickupShelf) -> None:
        with pinned.stocking:
            await shelf.run()

    def _gone(self, pinned: Pinned) -> None:
        pinned.stocking.cancel()
        if pinned.shelf is not None and self._nursery is not None and not self._closing:
            self._nursery.start_soon(pinned.shelf.clear)
        if pinned in self.open_sessions:
            self.open_sessions.remove(pinned)

    async def warm(self) -> None:
        """Open a spare session ahead of need, if there is none and the wallet can prepay it."""
        async with self._warming:
            if self._spare is not None or not await self._funded():
                return
            try:
                self._spare = await self._open_any(self.chooser.want(None), self._shapes.default)
            except (Peer2PromptError, WalletError) as error:
                log.info("no session could be opened ahead of need (%s)", error.code)

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

    async def _open_any(self, want: Preferences, plan: ShapePlan) -> Pinned:
        """An open, prepaid session with some ghost that fits: with one that is known, else with
        one that is looked for."""
        try:
            return await self._open_known(want, plan)
        except (GhostError, NoRoute, CircuitClosed, PaymentError):
            if not await self.offers.look_for(want.model):
                raise
        return await self._open_known(want, plan)

    async def _open_known(self, want: Preferences, plan: ShapePlan) -> Pinned:
        """With the first, of those that fit and in the order they are chosen, that opens."""
        failure: Exception | None = None
        for choice in await self.chooser.order(want):
            pinned = self.open_session(choice.ghost, plan)
            pinned.model, pinned.why = choice.candidate.model, choice.why
            try:
                await self._connect(pinned)
                if want.model is not None and not _serves(pinned.quote, want.model):
                    await self.leave(pinned)
                    continue
                await pinned.session.open()
            except (Peer2PromptError, WalletError) as error:
                pinned.route.drop("the session could not be opened")
                self._gone(pinned)
                self.witness.not_opened(choice.ghost, error)
                failure = error
                continue
            self._stock(pinned)
            return pinned
        if failure is not None:
            raise failure
        raise GhostError(
            "No ghost serves this model." if want.model else "No ghost is known.",
            kept="Nothing was paid; the question is kept in the chat.",
            hint="See what is offered with: peer2prompt models",
        )

    async def _connect(self, pinned: Pinned) -> Quote:
        ghost = pinned.route.ghost
        try:
            quote = self.offers.take(ghost, await pinned.session.connect())
        except DearerQuote:
            self.witness.note(ghost, Seen.DEARER)
            raise
        pinned.quote = quote
        return quote

    async def session_for(
        self, chat: str, want: Preferences, plan: ShapePlan, on_building: Callable[[], None]
    ) -> Pinned:
        """The chat's pinned session, else the spare, else a new one (`on_building` tells)."""
        pinned = self._pinned.get(chat)
        if pinned is not None and pinned.fits(want, plan):
            return pinned
        if pinned is not None:
            del self._pinned[chat]
            await self.leave(pinned)
        pinned = await self._take_spare(want, plan)
        if pinned is None:
            on_building()
            pinned = await self._open_any(want, plan)
        self._pinned[chat] = pinned
        if plan.always_on:
            self._bound_always_on()
        return pinned

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

    async def leave(self, pinned: Pinned) -> None:
        """Settle, say goodbye, and close the circuit at its bucket end."""
        self._gone(pinned)
        if await self.settle(pinned):
            await pinned.session.aclose()
        pinned.route.retire()

    async def settle(self, pinned: Pinned) -> bool:
        """Get the unspent credit back; False when that did not work out now."""
        try:
            if await pinned.session.settle():
                self._bus.publish("wallet.changed", {})
        except (Peer2PromptError, WalletError) as error:
            log.info(
                "a session was left unsettled (%s); its credit is asked back later", error.code
            )
            return False
        return True

    def reclaim_soon(self, pinned: Pinned, saved: SavedSession) -> None:
        """A session of an earlier run is done with: leave it, or ask its credit back later."""
        if self._nursery is not None:
            self._nursery.start_soon(self._leave_or_reclaim, pinned, saved)

    async def _leave_or_reclaim(self, pinned: Pinned, saved: SavedSession) -> None:
        self._gone(pinned)
        if await self.settle(pinned):
            await pinned.session.aclose()
            pinned.route.retire()
        else:
            pinned.route.drop("the ghost could not be asked")
            await self.reclaim(saved)

    async def reclaim(self, saved: SavedSession) -> None:
        """Ask back what an earlier run left with a ghost; keeps trying with back-off."""
        for delay in (*RECLAIM_RETRY_S, None):
            pinned = self.open_session(saved.ghost, self._shapes.errand, saved)
            try:
                await pinned.session.settle()
                await pinned.session.aclose()
            except (Peer2PromptError, WalletError) as error:
                log.info("credit of an earlier session is not back yet (%s)", error.code)
                pinned.route.drop("the ghost could not be asked")
                self._gone(pinned)
            else:
                self._gone(pinned)
                pinned.route.retire()
                self._bus.publish("wallet.changed", {})
                return
            if delay is None:
                return
            await trio.sleep(delay)

    # -- what is offered -----------------------------------------------------------------------

    async def _ask_offer(self, ghost: bytes) -> None:
        """Connect to a ghost only to read its quote."""
        pinned = self.open_session(ghost, self._shapes.errand)
        try:
            await self._connect(pinned)
        except BaseException:
            self._gone(pinned)
            raise
        await self.leave(pinned)


def _serves(quote: Quote | None, model: str) -> bool:
    return quote is not None and any(offer.name == model for offer in quote.models)
