"""Chats: what the user asks, who answers, what it cost. The client's half of the market.

Keeps one pinned AskSession per chat, each over a circuit of its own, one spare session opened ahead
of need, and settles sessions that fall idle. Prompts and answers go to the encrypted store and to
the control clients, and nowhere else.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from engine.control.events import EventBus
from engine.control.protocol import (
    AskStarted,
    Message,
    MessageMeta,
    Model,
    Session,
)
from engine.directory.relays import RelaySet
from engine.errors import GhostError, NoRoute, Peer2PromptError
from engine.session.client import AskSession
from engine.session.events import AnswerDelta, AskEvent, AskResult, PaidOut, StateChanged
from engine.session.route import Route
from engine.session.vault import SavedSession, SessionVault
from engine.wire.advert import Role
from engine.wire.quote import Quote
from engine.wire.shape import ShapePlan
from wallet.errors import WalletError
from wallet.store import ChatMessage, ChatSession, Store
from wallet.wallet import Wallet

log = logging.getLogger("peer2prompt.chat")

SETTLE_IDLE_S = 90.0  # a chat that rests this long gets its unspent credit back
HISTORY_MESSAGES = 200  # sent along with a question, newest first
TITLE_CHARS = 48
MAX_PROMPT_BYTES = 768 * 1024  # with its JSON it stays under the session protocol's 1 MiB
OFFER_RETRY_S = 60.0  # a ghost that did not answer is not asked again before
RECLAIM_RETRY_S = (2.0, 10.0, 60.0, 300.0)
FINISHED = ("done", "cancelled")


@dataclass
class _Pinned:
    """One AskSession with its route."""

    session: AskSession
    route: Route
    last_used: float
    quote: Quote | None = None
    asking: bool = False


@dataclass
class _Ask:
    """One question on its way."""

    ask_id: str
    chat: str
    settle: bool
    params: dict[str, Any]
    model: str | None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    pinned: _Pinned | None = None
    text: list[str] = field(default_factory=list, repr=False)


class ChatService:
    """Answers `sessions.*`, `models`, `ask` and `ask.cancel`."""

    def __init__(
        self,
        store: Store,
        wallet: Wallet,
        relays: RelaySet,
        route_to: Callable[[bytes], Route],
        plan: ShapePlan,
        bus: EventBus,
    ) -> None:
        self.last_cost_msat: int | None = None
        self._store = store
        self._wallet = wallet
        self._relays = relays
        self._route_to = route_to
        self._plan = plan
        self._bus = bus
        self._vault = SessionVault(store)
        self._pinned: dict[str, _Pinned] = {}
        self._spare: _Pinned | None = None
        self._warming = trio.Lock()
        self._learning = trio.Lock()
        self._retry_at: dict[bytes, float] = {}
        self._offers: dict[bytes, Quote] = {}
        self._asks: dict[str, _Ask] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own every question until cancelled."""
        saved = await self._vault.load_all()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for record in saved:
                nursery.start_soon(self._reclaim, record)
            task_status.started()
            try:
                await self._settle_idle()
            finally:
                self._nursery = None

    async def close(self) -> None:
        """Settle and leave every session; what cannot be settled now is reclaimed at next start."""
        for ask in list(self._asks.values()):
            await self._cancel(ask)
        pinned = [*self._pinned.values(), *([self._spare] if self._spare else [])]
        self._pinned, self._spare = {}, None
        async with trio.open_nursery() as nursery:
            for one in pinned:
                nursery.start_soon(self._leave, one)

    # -- sessions ------------------------------------------------------------------------------

    def _open_session(self, ghost: bytes, saved: SavedSession | None = None) -> _Pinned:
        route = self._route_to(ghost)
        session = AskSession(route.open_stream, self._wallet, self._store, saved=saved)
        return _Pinned(session, route, trio.current_time())

    async def warm(self) -> None:
        """Open a spare session ahead of need, if there is none and the wallet can prepay it."""
        async with self._warming:
            if self._spare is not None or not await self._funded():
                return
            try:
                self._spare = await self._open_any(None)
            except (Peer2PromptError, WalletError) as error:
                log.info("no session could be opened ahead of need (%s)", error.code)

    def warm_soon(self) -> None:
        """Open a spare session in the background."""
        if self._nursery is not None:
            self._nursery.start_soon(self.warm)

    async def _funded(self) -> bool:
        return any(balance.available_sat for balance in await self._wallet.balances())

    async def _open_any(self, model: str | None) -> _Pinned:
        """An open, prepaid session with some ghost that serves `model`."""
        failure: Exception | None = None
        for ghost in self._ghosts():
            offer = self._offers.get(ghost)
            if offer is not None and model is not None and not _serves(offer, model):
                continue
            pinned = self._open_session(ghost)
            try:
                await self._connect(pinned)
                if model is not None and not _serves(self._offers[ghost], model):
                    await self._leave(pinned)
                    continue
                await pinned.session.open()
            except (Peer2PromptError, WalletError) as error:
                pinned.route.drop("the session could not be opened")
                failure = error
                continue
            return pinned
        if failure is not None:
            raise failure
        raise GhostError(
            "No ghost serves this model." if model else "No ghost is known.",
            kept="Nothing was paid; the question is kept in the chat.",
            hint="See what is offered with: peer2prompt models",
        )

    def _ghosts(self) -> list[bytes]:
        self._relays.reload()
        ghosts = [advert.node_id for advert in self._relays.with_role(Role.GHOST)]
        if not ghosts:
            raise NoRoute(
                "No ghost is known.",
                kept="Nothing was sent and nothing was paid.",
                hint="Check the directory with: peer2prompt network"
                if self._relays.source is not None
                else "Set [network] directory in config.toml, or try: peer2prompt demo",
            )
        secrets.SystemRandom().shuffle(ghosts)
        return ghosts

    async def _connect(self, pinned: _Pinned) -> Quote:
        quote = pinned.quote = await pinned.session.connect()
        self._offers[pinned.route.ghost] = quote
        return quote

    async def _session_for(self, ask: _Ask) -> _Pinned:
        """The chat's pinned session, else the spare, else a new one."""
        pinned = self._pinned.get(ask.chat)
        if pinned is not None and (ask.model is None or _serves(pinned.quote, ask.model)):
            return pinned
        if pinned is not None:
            del self._pinned[ask.chat]
            await self._leave(pinned)
        pinned = await self._take_spare(ask.model)
        if pinned is None:
            self._tell_state(ask, "building")
            pinned = await self._open_any(ask.model)
        self._pinned[ask.chat] = pinned
        return pinned

    async def _take_spare(self, model: str | None) -> _Pinned | None:
        async with self._warming:  # a spare that is being opened is worth waiting for
            spare = self._spare
            if spare is None or (model is not None and not _serves(spare.quote, model)):
                return None
            self._spare = None
            return spare

    async def _settle_idle(self) -> None:
        while True:
            await trio.sleep(SETTLE_IDLE_S / 6)
            for chat, pinned in list(self._pinned.items()):
                idle = trio.current_time() - pinned.last_used
                if not pinned.asking and idle > SETTLE_IDLE_S:
                    del self._pinned[chat]
                    await self._leave(pinned)

    async def _leave(self, pinned: _Pinned) -> None:
        """Settle, say goodbye, and close the circuit at its bucket end."""
        try:
            if await pinned.session.settle():
                self._bus.publish("wallet.changed", {})
            await pinned.session.aclose()
        except (Peer2PromptError, WalletError) as error:
            log.info(
                "a session was left unsettled (%s); its credit is asked back later", error.code
            )
        pinned.route.retire()

    async def _reclaim(self, saved: SavedSession) -> None:
        """Ask back what an earlier run left with a ghost; keeps trying with back-off."""
        for delay in (*RECLAIM_RETRY_S, None):
            pinned = self._open_session(saved.ghost, saved)
            try:
                await pinned.session.settle()
                await pinned.session.aclose()
            except (Peer2PromptError, WalletError) as error:
                log.info("credit of an earlier session is not back yet (%s)", error.code)
                pinned.route.drop("the ghost could not be asked")
            else:
                pinned.route.retire()
                self._bus.publish("wallet.changed", {})
                return
            if delay is None:
                return
            await trio.sleep(delay)

    # -- asking --------------------------------------------------------------------------------

    async def ask(self, params: dict[str, Any]) -> AskStarted:
        """Store the question and start answering it; everything else comes as events."""
        text: str = params["text"]
        if not text.strip():
            raise Peer2PromptError("The question is empty.", hint="Type something to ask.")
        if len(text.encode()) > MAX_PROMPT_BYTES:
            raise Peer2PromptError(
                f"The question is longer than {MAX_PROMPT_BYTES // 1024} KiB.",
                hint="Shorten it; nothing was sent.",
            )
        nursery = self._nursery
        if nursery is None:
            raise Peer2PromptError("The node is shutting down.")
        chat = await self._chat(params["session_id"], text, params["model"])
        if any(ask.chat == chat.session_id for ask in self._asks.values()):
            raise Peer2PromptError(
                "This chat is still answering.", hint="Stop that answer or wait for its end."
            )
        options = {
            name: params[name] for name in ("max_tokens", "temperature") if params[name] is not None
        }
        ask = _Ask(
            ask_id=secrets.token_hex(8),
            chat=chat.session_id,
            settle=params["settle"],
            params=options,
            model=params["model"] or chat.model or None,
        )
        self._asks[ask.ask_id] = ask
        await self._store.messages.add(chat.session_id, "user", text)
        nursery.start_soon(self._answer, ask)
        return AskStarted(ask_id=ask.ask_id, session_id=chat.session_id)

    async def _chat(self, session_id: str | None, text: str, model: str | None) -> ChatSession:
        if session_id is not None:
            return await self._known_chat(session_id)
        title = " ".join(text.split())[:TITLE_CHARS]
        return await self._store.sessions.create(title, model or "")

    async def _known_chat(self, session_id: str) -> ChatSession:
        chat = await self._store.sessions.get(session_id)
        if chat is None:
            raise Peer2PromptError("There is no such chat.", hint="List them: peer2prompt sessions")
        return chat

    async def _answer(self, ask: _Ask) -> None:
        """One question to its end, whatever the end is."""
        try:
            with ask.scope:
                result = await self._ask_ghost(ask)
                await self._finish(ask, result)
            if ask.scope.cancelled_caught:
                await self._fail(ask, _cancelled())
        except (Peer2PromptError, WalletError) as error:
            await self._fail(ask, error)
        finally:
            self._asks.pop(ask.ask_id, None)
            if ask.pinned is not None:
                ask.pinned.asking = False
                ask.pinned.last_used = trio.current_time()
            if not ask.settle:
                self.warm_soon()  # so that the next new chat starts as quickly

    async def _ask_ghost(self, ask: _Ask) -> dict[str, Any]:
        history = await self._history(ask.chat)
        pinned = ask.pinned = await self._session_for(ask)
        pinned.asking = True
        quote = pinned.quote
        if quote is None:
            raise GhostError("The ghost sent no quote.")
        model = ask.model or quote.models[0].name
        cells = pinned.route.cells
        result = await pinned.session.ask(
            history, model, ask.params, lambda event: self._on_event(ask, event)
        )
        if ask.settle:
            await self._settle_after(pinned)
        return self._result(result, pinned.route, cells)

    async def _settle_after(self, pinned: _Pinned) -> None:
        """Settle so that the account of this answer is final; a failure costs nothing but time."""
        try:
            await pinned.session.settle()
        except (Peer2PromptError, WalletError) as error:
            log.info("an answer was not settled at once (%s)", error.code)
        self._bus.publish("wallet.changed", {})

    def _result(self, result: AskResult, route: Route, before: tuple[int, int]) -> dict[str, Any]:
        up, down = route.cells
        return {
            **result.as_dict(),
            "route": route.hops,
            "cells_up": up - before[0],
            "cells_down": down - before[1],
            "shape_class": self._plan.shape_class.label,
        }

    async def _history(self, chat: str) -> list[dict[str, str]]:
        """The chat so far as the provider takes it: unfinished answers are left out."""
        messages = await self._store.messages.list(chat, limit=HISTORY_MESSAGES)
        return [
            {"role": m.role, "content": m.text}
            for m in messages
            if m.role != "assistant" or m.meta.get("state") in FINISHED
        ]

    def _on_event(self, ask: _Ask, event: AskEvent) -> None:
        ids = {"ask_id": ask.ask_id, "session_id": ask.chat}
        if isinstance(event, AnswerDelta):
            ask.text.append(event.text)
            delta = {**ids, "text": event.text, "offset": event.offset}
            self._bus.publish("ask.delta", delta)
        elif isinstance(event, StateChanged):
            self._bus.publish("ask.state", {**ids, "state": event.state, "detail": event.detail})
        elif isinstance(event, PaidOut):
            self._bus.publish("ask.paid", {"ask_id": ask.ask_id, "msat": event.msat})

    def _tell_state(self, ask: _Ask, state: str) -> None:
        self._on_event(ask, StateChanged(state))

    async def _finish(self, ask: _Ask, result: dict[str, Any]) -> None:
        state = "cancelled" if result["finish_reason"] == "cancelled" else "done"
        meta = {name: result[name] for name in ("cost_msat", "tokens_in", "tokens_out", "ttft_ms")}
        meta["state"] = state
        await self._store.messages.add(ask.chat, "assistant", result["answer"], meta)
        self.last_cost_msat = result["cost_msat"]
        self._bus.publish(
            "ask.done", {"ask_id": ask.ask_id, "session_id": ask.chat, "result": result}
        )
        self._bus.publish("wallet.changed", {})

    async def _fail(self, ask: _Ask, error: Peer2PromptError | WalletError) -> None:
        with trio.CancelScope(shield=True):
            if text := "".join(ask.text):
                await self._store.messages.add(ask.chat, "assistant", text, {"state": "cut"})
        body = error.as_dict()
        failed = {"ask_id": ask.ask_id, "session_id": ask.chat, "error": body}
        self._bus.publish("ask.failed", failed)
        self._bus.publish("wallet.changed", {})

    async def cancel(self, params: dict[str, Any]) -> dict[str, Any]:
        """Stop an answer: what was delivered is billed and kept."""
        ask = self._asks.get(str(params["ask_id"]))
        if ask is not None:
            await self._cancel(ask)
        return {}

    async def _cancel(self, ask: _Ask) -> None:
        if ask.pinned is not None and ask.pinned.asking:
            await ask.pinned.session.cancel()
        else:
            ask.scope.cancel()

    # -- what is offered -----------------------------------------------------------------------

    async def models(self, _params: dict[str, Any]) -> list[Model]:
        """Every model of every known ghost, from their signed quotes."""
        ghosts = self._ghosts()
        async with self._learning:
            for ghost in ghosts:
                if (
                    ghost not in self._offers
                    and self._retry_at.get(ghost, 0.0) < trio.current_time()
                ):
                    await self._learn_offer(ghost)
        return [
            Model(
                model=offer.name,
                ghost=ghost.hex()[:8],
                in_price=offer.in_price,
                out_price=offer.out_price,
                chunk_msat=quote.chunk_msat,
                cap_msat=quote.cap_msat,
                mints=list(quote.mints),
            )
            for ghost, quote in self._offers.items()
            if ghost in ghosts
            for offer in quote.models
        ]

    async def _learn_offer(self, ghost: bytes) -> None:
        pinned = self._open_session(ghost)
        try:
            await self._connect(pinned)
        except (Peer2PromptError, WalletError) as error:
            log.info("a ghost did not say what it offers (%s)", error.code)
            self._retry_at[ghost] = trio.current_time() + OFFER_RETRY_S
        else:
            await self._leave(pinned)

    # -- the list of chats ---------------------------------------------------------------------

    async def list_chats(self, _params: dict[str, Any]) -> list[Session]:
        """Every chat, the newest first."""
        return [_session(chat) for chat in await self._store.sessions.list()]

    async def create_chat(self, params: dict[str, Any]) -> Session:
        """An empty chat."""
        chat = await self._store.sessions.create(
            params["title"] or "New chat", params["model"] or ""
        )
        self.warm_soon()
        return _session(chat)

    async def chat_messages(self, params: dict[str, Any]) -> list[Message]:
        """Messages of one chat, oldest first."""
        await self._known_chat(params["session_id"])
        messages = await self._store.messages.list(
            params["session_id"], limit=params["limit"], before=params["before"]
        )
        return [_message(message) for message in messages]

    async def rename_chat(self, params: dict[str, Any]) -> Session:
        """Give a chat another title."""
        await self._known_chat(params["session_id"])
        await self._store.sessions.rename(params["session_id"], params["title"])
        return _session(await self._known_chat(params["session_id"]))

    async def delete_chat(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a chat and overwrite its messages on disk."""
        chat = await self._known_chat(params["session_id"])
        pinned = self._pinned.pop(chat.session_id, None)
        await self._store.sessions.delete(chat.session_id)
        if pinned is not None:
            await self._leave(pinned)
        return {}


def _serves(quote: Quote | None, model: str) -> bool:
    return quote is not None and any(offer.name == model for offer in quote.models)


def _cancelled() -> Peer2PromptError:
    error = Peer2PromptError(
        "The question was cancelled before an answer began.", kept="Nothing was charged."
    )
    error.code = "cancelled"
    return error


def _session(chat: ChatSession) -> Session:
    return Session(
        session_id=chat.session_id,
        title=chat.title,
        model=chat.model,
        created=chat.created,
        updated=chat.updated,
        messages=chat.messages,
    )


def _message(message: ChatMessage) -> Message:
    known = {name: message.meta.get(name) for name in ("cost_msat", "tokens_in", "tokens_out")}
    return Message(
        message_id=message.message_id,
        role=message.role,
        text=message.text,
        created=message.created,
        meta=MessageMeta(
            **known, ttft_ms=message.meta.get("ttft_ms"), state=message.meta.get("state", "done")
        ),
    )
