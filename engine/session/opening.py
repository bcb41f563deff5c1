"""Opens sessions with ghosts and leaves them, each over a route of its own.

What an unsettled session left with a ghost is asked back, also what an earlier run left. Knows
nothing of chats, questions and answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import trio

from engine.circuit.shape_menu import ShapeMenu
from engine.control.events import EventBus
from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, GhostError, NoRoute, PaymentError, Peer2PromptError
from engine.log import say
from engine.log.events_client import CreditWaits, SessionUnsettled
from engine.log.words import Code
from engine.market.client_asking import Footing
from engine.market.observations import Seen
from engine.market.seams import Mailboxes
from engine.session.chooser import Chooser
from engine.session.client import AskSession
from engine.session.offers import DearerQuote, FindMore, Offers
from engine.session.pickups import PickupShelf, cells_for
from engine.session.preferences import Preferences
from engine.session.route import Route
from engine.session.sheets import SheetBook
from engine.session.tokenizers import Tokenizers
from engine.session.vault import SavedSession, SessionVault
from engine.session.watch import SilenceWatch
from engine.session.witness import Witness
from engine.wire.quote import ModelOffer, Quote
from engine.wire.shape import ShapePlan
from engine.wire.sheet import Sheet
from wallet.errors import WalletError
from wallet.store import Store
from wallet.wallet import Wallet

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
        ghost = self.route.ghost
        named = ghost.hex().startswith(want.ghost) and ghost not in want.avoid
        return named and self.serves(want) and self.route.plan == plan

    def serves(self, want: Preferences) -> bool:
        """Whether its ghost offers what is wanted. One with nothing on offer serves nobody."""
        if self.quote is not None and not self.quote.models:
            return False
        anything = want.model is None and not want.features
        return anything or offer_for(self.quote, want) is not None


@dataclass(frozen=True, eq=False, repr=False)
class Surroundings:
    """What sessions are opened in: the node's store and wallet, and its way to ghosts."""

    store: Store
    wallet: Wallet
    relays: RelaySet
    route_to: Callable[[bytes, ShapePlan], Route]
    shapes: ShapeMenu
    bus: EventBus
    boxes: Mailboxes | None = None
    sheets: SheetBook | None = None
    find_more: FindMore | None = None
    wishes: Preferences = field(default_factory=Preferences)


class SessionOpener:
    """Opens and leaves sessions. Base of `SessionDesk`, which keeps them."""

    def __init__(self, around: Surroundings) -> None:
        store, wallet, bus = around.store, around.wallet, around.bus
        self.boxes = around.boxes
        self.open_sessions: list[Pinned] = []
        self.tokenizers: Tokenizers | None = None
        """Of open models, where the settings name some."""
        self._store = store
        self._wallet = wallet
        self._relays = around.relays
        self._route_to = around.route_to
        self._shapes = around.shapes
        self._bus = bus
        self._vault = SessionVault(store)
        self.offers = Offers(around.relays, self._ask_offer, around.sheets, around.find_more)
        self.witness = Witness(store, on_change=lambda: bus.publish("market.changed", {}))
        self.chooser = Chooser(self.offers, self.witness, wallet, around.wishes)
        self._nursery: trio.Nursery | None = None
        self._closing = False

    def open_session(
        self,
        ghost: bytes,
        plan: ShapePlan,
        saved: SavedSession | None = None,
        footing: Footing | None = None,
    ) -> Pinned:
        """A session that is not connected yet. With `saved` an earlier one: with its `footing`, to
        go on with it, else to ask back what lies there."""
        route = self._route_to(ghost, plan)
        session = AskSession(
            route.open_stream,
            self._wallet,
            self._store,
            saved=saved,
            footing=footing,
            on_outcome=partial(self.witness.ended, ghost),
            tokenizers=self.tokenizers,
        )
        pinned = Pinned(session, route, trio.current_time())
        self.open_sessions.append(pinned)
        return pinned

    def _stock(self, pinned: Pinned) -> None:
        """From now on mailboxes stand by for the answers of this session."""
        quote, nursery = pinned.quote, self._nursery
        if self.boxes is None or nursery is None or quote is None or not quote.models:
            return
        longest = max(offer.max_out for offer in quote.models)
        pinned.shelf = PickupShelf(
            self.boxes, pinned.route.ghost, cells_for(longest), quiet=pinned.route.wait_quiet
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
                if not pinned.serves(want):
                    await self.leave(pinned)
                    continue
                await pinned.session.open()
            except (Peer2PromptError, WalletError) as error:
                pinned.route.drop("the session could not be opened")
                self._gone(pinned)
                self.witness.no_way(choice.ghost, error)
                failure = error
                continue
            except BaseException:  # nobody waits for it any more: it must not stay open
                pinned.route.drop("the session was not wanted any more")
                self._gone(pinned)
                raise
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

    async def leave(self, pinned: Pinned) -> None:
        """Settle, say goodbye, and close the circuit at its bucket end."""
        self._gone(pinned)
        try:
            if await self.settle(pinned):
                await pinned.session.aclose()
        finally:
            pinned.route.retire()

    async def settle(self, pinned: Pinned) -> bool:
        """Get the unspent credit back; False when that did not work out now."""
        try:
            if await pinned.session.settle():
                self._bus.publish("wallet.changed", {})
        except (Peer2PromptError, WalletError) as error:
            say(SessionUnsettled(Code.of(error)))
            self.witness.no_way(pinned.route.ghost, error)
            return False
        return True

    def beside(self, work: Callable[[], Awaitable[None]]) -> trio.Event:
        """Do what may outlast the question it belongs to; the event says that it is done."""
        over = trio.Event()

        async def run() -> None:
            try:
                await work()
            finally:
                over.set()

        if self._nursery is None:
            over.set()
        else:
            self._nursery.start_soon(run)
        return over

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
                say(CreditWaits(Code.of(error)))
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


def offer_for(quote: Quote | Sheet | None, want: Preferences) -> ModelOffer | None:
    """The first of a ghost's models that is what is wanted."""
    for offer in quote.models if quote is not None else ():
        if want.model in (None, offer.name) and want.features <= set(offer.features):
            return offer
    return None
