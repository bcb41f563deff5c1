"""Chats: what the user asks, who answers, what it cost. The client's half of the market.

Takes questions, runs them over the chat's session (`engine.session.pinned`), and tells what becomes
of them. Prompts and answers go to the encrypted store and to the control clients, nowhere else.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from engine.circuit.shape_menu import ShapeMenu
from engine.control.events import EventBus
from engine.control.protocol.asking import AskStarted
from engine.directory.relays import RelaySet
from engine.errors import GhostError, Peer2PromptError
from engine.market.seams import Mailboxes
from engine.session.chatlist import ChatList
from engine.session.events import AnswerDelta, AskEvent, AskResult, PaidOut, StateChanged
from engine.session.keeper import AnswerKeeper, LeftAnswer
from engine.session.lifeline import Lifeline
from engine.session.offers import FindMore
from engine.session.pinned import Pinned, SessionDesk
from engine.session.preferences import Preferences
from engine.session.route import Route
from engine.session.sheets import SheetBook
from engine.wire.shape import ShapePlan
from wallet.errors import WalletError
from wallet.store import ChatSession, Store
from wallet.wallet import Wallet

log = logging.getLogger("peer2prompt.chat")

HISTORY_MESSAGES = 200  # sent along with a question, newest first
TITLE_CHARS = 48
MAX_PROMPT_BYTES = 768 * 1024  # with its JSON it stays under the session protocol's 1 MiB
FINISHED = ("done", "cancelled")
TOLD = ("cost_msat", "tokens_in", "tokens_out", "ttft_ms", "mailboxes", "by_mail")
WRITE_S = 2.0


@dataclass
class _Ask:
    """One question on its way."""

    ask_id: str
    chat: str
    settle: bool
    params: dict[str, Any]
    want: Preferences
    plan: ShapePlan
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    pinned: Pinned | None = None
    line: Lifeline | None = None
    text: list[str] = field(default_factory=list, repr=False)
    written: int = 0
    """Pieces of the text that are in the store."""
    taken_up: bool = False
    """An earlier process asked it."""
    resting: bool = False
    """This process ends first; the next one takes it up."""

    @property
    def shown(self) -> str:
        return "".join(self.text)


class ChatService:
    """Answers `ask` and `ask.cancel`."""

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
        self.last_cost_msat: int | None = None
        self.desk = SessionDesk(
            store, wallet, relays, route_to, shapes, bus, boxes, sheets, find_more, wishes
        )
        self._keeper = AnswerKeeper(store, boxes)
        self.listing = ChatList(
            store, shapes, on_new=self.desk.warm_soon, on_delete=self.desk.let_go
        )
        self._store = store
        self._shapes = shapes
        self._bus = bus
        self._asks: dict[str, _Ask] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own every question until cancelled."""
        left = await self._keeper.left()
        self.desk.claimed = {answer.record.session.name for answer in left}
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await nursery.start(self.desk.run)
            nursery.start_soon(self._keep_writing)
            for answer in left:
                self._take_up(answer, nursery)
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    async def close(self) -> None:
        """Stop every answer, settle and leave every session. An answer whose ghost cannot be
        reached now is left to the next start."""
        for ask in list(self._asks.values()):
            ask.resting = ask.pinned is not None and not ask.pinned.session.connected
            if ask.resting:
                ask.scope.cancel()
            else:
                await self._cancel(ask)
        await self.desk.close()

    def _take_up(self, left: LeftAnswer, nursery: trio.Nursery) -> None:
        """Go on with an answer that an earlier process asked for."""
        ask = _Ask(
            ask_id=left.ask_id,
            chat=left.chat,
            settle=True,
            params={},
            want=self.desk.chooser.want(left.record.model),
            plan=self._shapes.default,
            line=left.line,
            text=[left.text] if left.text else [],
            taken_up=True,
        )
        self._asks[ask.ask_id] = ask
        nursery.start_soon(self._answer, ask, left)

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
        chat = await self._chat(params, text)
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
            want=self.desk.chooser.want(
                params["model"] or chat.model or None,
                ghost=params.get("ghost", ""),
                prefer=params.get("prefer", ""),
            ),
            plan=self._shapes.plan(params["shape"] or chat.shape),
        )
        self._asks[ask.ask_id] = ask
        await self._store.messages.add(chat.session_id, "user", text)
        nursery.start_soon(self._answer, ask)
        return AskStarted(ask_id=ask.ask_id, session_id=chat.session_id)

    async def _chat(self, params: dict[str, Any], text: str) -> ChatSession:
        """The chat asked in, with the shape asked for from now on; a new one when none is named."""
        shape = self._shapes.plan(params["shape"]).shape_class.label if params["shape"] else ""
        if params["session_id"] is not None:
            chat = await self.listing.known(params["session_id"])
            if shape and shape != chat.shape:
                await self._store.sessions.update(chat.session_id, shape=shape)
            return chat
        title = " ".join(text.split())[:TITLE_CHARS]
        return await self._store.sessions.create(title, params["model"] or "", shape=shape)

    async def _answer(self, ask: _Ask, left: LeftAnswer | None = None) -> None:
        """One question to its end, whatever the end is."""
        try:
            with ask.scope:
                work = self._ask_ghost(ask) if left is None else self._go_on(ask, left)
                self._finish(ask, await work)
            if ask.scope.cancelled_caught and ask.resting and ask.line is not None:
                await self._keeper.write(ask.line, ask.shown)
            elif ask.scope.cancelled_caught:
                await self._fail(ask, _cancelled())
        except (Peer2PromptError, WalletError) as error:
            await self._fail(ask, error)
        finally:
            self._asks.pop(ask.ask_id, None)
            if ask.pinned is not None:
                ask.pinned.asking = False
                ask.pinned.last_used = trio.current_time()

    async def _ask_ghost(self, ask: _Ask) -> dict[str, Any]:
        history = await self._history(ask.chat)
        pinned = ask.pinned = await self.desk.session_for(
            ask.chat, ask.want, ask.plan, lambda: self._tell_state(ask, "building")
        )
        pinned.asking = True
        if not ask.settle:
            self.desk.warm_beside(pinned)
        quote = pinned.quote
        if quote is None:
            raise GhostError("The ghost sent no quote.")
        model = ask.want.model or pinned.model or quote.models[0].name
        cells = pinned.route.cells
        line = ask.line = self._keeper.line(ask.chat, ask.ask_id, pinned.shelf)
        result = await pinned.session.ask(
            history, model, ask.params, lambda event: self._on_event(ask, event), line
        )
        await self._complete(ask, line, result)
        if ask.settle:
            await self._settle_after(pinned)
        return {**self._result(result, pinned.route, cells), "why": pinned.why}

    async def _go_on(self, ask: _Ask, left: LeftAnswer) -> dict[str, Any]:
        """Bring an answer to its end that an earlier process asked for, and settle its session."""
        saved = left.record.session
        pinned = ask.pinned = self.desk.open_session(saved.ghost, ask.plan, saved)
        pinned.asking = True
        try:
            result = await pinned.session.take_up(
                left.record, left.text, left.line, lambda event: self._on_event(ask, event)
            )
            await self._complete(ask, left.line, result)
            return self._result(result, pinned.route, (0, 0))
        finally:
            if not ask.resting:
                self.desk.reclaim_soon(pinned, saved)

    async def _keep_writing(self) -> None:
        """Write down what was shown, so that a sudden death loses little of it."""
        while True:
            await trio.sleep(WRITE_S)
            for ask in list(self._asks.values()):
                if ask.line is None or len(ask.text) == ask.written:
                    continue
                ask.written = len(ask.text)
                try:
                    await self._keeper.write(ask.line, ask.shown)
                except WalletError as error:
                    log.warning("an answer under way could not be written down (%s)", error.code)

    async def _settle_after(self, pinned: Pinned) -> None:
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
            "shape_class": route.plan.shape_class.label,
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

    async def _complete(self, ask: _Ask, line: Lifeline, result: AskResult) -> None:
        """The message as it stays: nothing that comes now can undo it."""
        told = result.as_dict()
        meta = {name: told[name] for name in TOLD}
        meta["state"] = "cancelled" if result.finish_reason == "cancelled" else "done"
        with trio.CancelScope(shield=True):
            await self._keeper.finish(line, result.answer, meta)
        ask.line = None

    def _finish(self, ask: _Ask, result: dict[str, Any]) -> None:
        self.last_cost_msat = result["cost_msat"]
        self._bus.publish(
            "ask.done", {"ask_id": ask.ask_id, "session_id": ask.chat, "result": result}
        )
        self._bus.publish("wallet.changed", {})

    async def _fail(self, ask: _Ask, error: Peer2PromptError | WalletError) -> None:
        with trio.CancelScope(shield=True):
            if ask.line is not None:
                await self._keeper.fail(ask.line, ask.shown, error, keep=ask.taken_up)
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


def _cancelled() -> Peer2PromptError:
    error = Peer2PromptError(
        "The question was cancelled before an answer began.", kept="Nothing was charged."
    )
    error.code = "cancelled"
    return error
