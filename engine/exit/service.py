"""The ghost: takes session streams from circuits, asks the provider, earns ecash.

`run` owns every task that outlives a stream; `serve_session` is called once per stream. A session
whose circuit died is kept for a while, so that its client can come back and go on reading.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import trio

from engine.crypto.keys import verify_signature
from engine.errors import CircuitClosed, ProtocolError
from engine.exit.admission import Admission, OpenDoor
from engine.exit.backends.base import Backend
from engine.exit.live import LiveSession, Workshop
from engine.exit.policy import GhostTerms, admit
from engine.exit.post import PostOffice
from engine.log import say
from engine.log.events import ClientBroke, SessionClosed
from engine.market.commands import Admitted, Chain, Refusal
from engine.market.ghost_session import GhostSession
from engine.market.seams import ByteStream, EarningWallet, GhostStore, Mailer, Signer
from engine.wire import session as wire
from engine.wire.quote import ModelOffer, Quote
from engine.wire.receipt import receipt_hash
from wallet.errors import StoreFull

HELLO_TIMEOUT_S = 60.0
SWEEP_S = 10.0
DAY_S = 86_400
DRAIN_POLL_S = 0.1
DRAIN_UNREAD_S = 3.0
"""How long a drain lets the provider go on with an answer that nobody reads."""
POST_S = 1.0
USER_LABEL = b"peer2prompt provider user v1"
PREFIX_LABEL = b"peer2prompt prefix cache v1"
"""The session id is secret between client and ghost, so a provider learns nothing from either."""
CLOSE_S = 5.0


async def _ignore(_code: str) -> None:
    """Nobody counts refusals by reason."""


class GhostService:
    """The serving side of the market."""

    def __init__(
        self,
        *,
        identity: Signer,
        wallet: EarningWallet,
        store: GhostStore,
        backend: Backend,
        terms: GhostTerms,
        admission: Admission | None = None,
        now: Callable[[], float] = time.time,
        on_earning: Callable[[], None] = lambda: None,
        on_refusal: Callable[[str], Awaitable[None]] = _ignore,
        offers_now: Callable[[], tuple[ModelOffer, ...]] | None = None,
    ) -> None:
        """`offers_now` says what a quote offers at this moment; the terms' models by default."""
        self._identity = identity
        self._wallet = wallet
        self._store = store
        self._backend = backend
        self._terms = terms
        self._admission = admission or OpenDoor()
        self._now = now
        self._on_earning = on_earning
        self._on_refusal = on_refusal
        self._offers_now = offers_now or (lambda: self._terms.models)
        self._shop: Workshop | None = None
        self._sessions: dict[bytes, LiveSession] = {}
        self._quote: tuple[Quote, bytes] | None = None
        self._quoting = trio.Lock()
        self._draining = False
        self._post: PostOffice | None = None

    def __repr__(self) -> str:
        return f"GhostService(sessions={len(self._sessions)})"

    # -- life ------------------------------------------------------------------------------------

    def mail_by(self, mailer: Mailer) -> None:
        """Answers of clients that went away leave by this mailer from now on."""
        self._post = PostOffice(mailer, self._terms.mail_after_s)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._shop = Workshop(
                    wallet=self._wallet,
                    store=self._store,
                    backend=self._backend,
                    terms=self._terms,
                    admission=self._admission,
                    nursery=nursery,
                    on_earning=self._on_earning,
                    on_refusal=self._on_refusal,
                    now=self._now,
                )
                nursery.start_soon(self._visit_post)
                task_status.started()
                await self._sweep()
        finally:
            self._shop = None
            with trio.move_on_after(CLOSE_S, shield=True):
                await self._backend.aclose()

    async def drain(self) -> None:
        """Refuse new questions, wait until the running answers are done, and mail those whose
        client is away. One that still runs without a reader is cut short after a while."""
        self._draining = True
        started = trio.current_time()
        while waiting := [live for live in self._sessions.values() if self._holds_up(live)]:
            late = trio.current_time() - started > DRAIN_UNREAD_S
            for live in waiting:
                if live.away_s > 0:
                    await self._hasten(live, late=late)
            await trio.sleep(DRAIN_POLL_S)

    def _holds_up(self, live: LiveSession) -> bool:
        if live.broken or live.ended:
            return False
        mail = self._post is not None and live.session.awaits_mail and live.away_s > 0
        return live.session.busy or mail

    async def _hasten(self, live: LiveSession, *, late: bool) -> None:
        if self._post is not None and live.session.awaits_mail:
            await self._post.post(live)
        if live.session.busy and (late or not live.session.awaits_mail):
            live.abandon()

    async def _visit_post(self) -> None:
        while True:
            await trio.sleep(POST_S)
            for live in list(self._sessions.values()):
                if self._post is not None:
                    await self._post.visit(live)

    async def _sweep(self) -> None:
        """Bill and forget the sessions whose client did not come back."""
        while True:
            await trio.sleep(SWEEP_S)
            deadline = trio.current_time() - self._terms.resume_s
            for name, live in list(self._sessions.items()):
                if live.unpaid_s > self._terms.resume_s:
                    live.forget_unpaid()
                if live.stalled_s() > self._terms.resume_s and not live.broken:
                    live.abandon()
                if live.detached_at is None or (live.detached_at > deadline and not live.ended):
                    continue
                if live.session.busy and not live.broken:
                    live.abandon()
                else:
                    del self._sessions[name]

    # -- quote -----------------------------------------------------------------------------------

    async def quote(self) -> tuple[Quote, bytes]:
        """The current quote; renewed, with a fresh key for locked payments, when half of its life
        is over or its offers change. All sessions get the same one, so that its key tells no
        client from another."""
        async with self._quoting:
            now, offers = int(self._now()), self._offers_now()
            life = self._terms.quote_life_s
            kept = self._quote
            if kept is None or kept[0].models != offers or kept[0].expires - now < life // 2:
                lock = bytes.fromhex(await self._wallet.lock_key())
                sign, key = self._identity.sign, self._identity.public
                terms = replace(self._terms, models=offers)
                self._quote = kept = terms.quote(key, os.urandom(16), now, sign, lock)
            return kept

    def sheet(self) -> bytes:
        """The encoded capability sheet: with the highest prices of what is offered now."""
        names = {offer.name for offer in self._offers_now()}
        shown = tuple(offer for offer in self._terms.models if offer.name in names)
        return replace(self._terms, models=shown).sheet().encode()

    def serve_by(self, terms: GhostTerms) -> None:
        """Other terms from now on. Questions under quotes that are out are answered by those."""
        self._terms = terms
        self._quote = None

    # -- streams ---------------------------------------------------------------------------------

    async def serve_session(self, stream: ByteStream) -> None:
        """Serve one stream with purpose `session`; returns when it ended. Never raises for what a
        client does; the stream is closed in every case."""
        try:
            await self._serve(stream)
        except* CircuitClosed:
            say(SessionClosed())
        except* ProtocolError as group:
            say(ClientBroke(len(group.exceptions)))
        except* StoreFull:  # no session without books; StoreTrouble tells the operator
            say(SessionClosed())
        finally:
            with trio.move_on_after(1, shield=True):
                await stream.aclose()

    async def _serve(self, stream: ByteStream) -> None:
        reader = wire.MessageReader(from_client=True)
        with trio.move_on_after(HELLO_TIMEOUT_S) as patience:
            hello, rest = await _read_hello(stream, reader)
        if patience.cancelled_caught:
            return
        live = await self._session_of(hello, stream)
        quote, raw = await self.quote()
        live.attach(quote, raw, resumed=hello.resume)
        for message in rest:
            live.session.receive(message)
        live.carry_on()
        await live.serve(stream, reader)

    async def _session_of(self, hello: wire.Hello, stream: ByteStream) -> LiveSession:
        signed = wire.hello_bytes(
            self._identity.node_id, stream.circuit_tag, hello.session, resume=hello.resume
        )
        if hello.v != wire.VERSION:
            raise ProtocolError("The client speaks another version of the session protocol.")
        if not verify_signature(hello.key, hello.sig, signed):
            raise ProtocolError("The client's hello does not carry a valid signature.")
        name = wire.session_hash(hello.session, hello.key)
        balance = await self._store.credits.get(name)
        receipts = await self._store.receipts.list(name, side="ghost")
        chain = Chain(receipts[-1].n, receipt_hash(receipts[-1].raw)) if receipts else Chain()
        live = self._sessions.get(name)
        # One that said goodbye and comes back begins anew, once nothing of it is under way.
        if live is not None and not live.broken and (live.session.busy or not live.ended):
            return live
        if self._shop is None or len(self._sessions) >= self._terms.max_sessions:
            raise ProtocolError("The ghost has no room for another session.")
        live = self._sessions[name] = self._new_session(self._shop, hello, balance, chain)
        return live

    def _new_session(
        self,
        shop: Workshop,
        hello: wire.Hello,
        balance: int,
        chain: Chain,
    ) -> LiveSession:
        # One of each per session, so that sessions cannot be linked; the same when it comes back.
        user = hashlib.sha256(USER_LABEL + hello.session).hexdigest()[:32]
        prefix = hashlib.sha256(PREFIX_LABEL + hello.session).digest()[:16]
        session = GhostSession(
            session=hello.session,
            key=hello.key,
            balance=balance,
            chain=chain,
            sign=self._identity.sign,
            admit=lambda ask: self._admit(ask, user, prefix),
        )
        return LiveSession(shop, session)

    def _admit(self, ask: wire.Ask, user: str, prefix: bytes) -> Admitted | Refusal:
        if self._draining:
            return Refusal("The ghost is shutting down and takes no new questions.")
        return admit(self._terms, ask, user, prefix)

    # -- numbers ---------------------------------------------------------------------------------

    @property
    def sessions_open(self) -> int:
        """Sessions whose client is on a stream now."""
        return sum(live.serving is not None for live in self._sessions.values())

    @property
    def answering(self) -> int:
        """Answers under way."""
        return sum(self._holds_up(live) for live in self._sessions.values())

    async def stats(self) -> dict[str, Any]:
        """What the earnings pane shows; no text, no session names."""
        earnings, now = self._store.earnings, self._now()
        total = await earnings.totals()
        today = await earnings.totals(since=now - now % DAY_S)
        week = await earnings.totals(since=now - 7 * DAY_S)
        return {
            "enabled": True,
            "total_msat": total.msat,
            "today_msat": today.msat,
            "week_msat": week.msat,
            "answers": total.answers,
            "refused": total.refused,
            "tokens_out": total.tokens_out,
            "models": [
                {"model": model, "answers": answers, "msat": msat}
                for model, answers, msat in await earnings.by_model()
            ],
            "recent": [
                {
                    "ts": item.ts,
                    "model": item.model,
                    "tokens_in": item.tokens_in,
                    "tokens_out": item.tokens_out,
                    "cost_msat": item.cost_msat,
                }
                for item in await earnings.recent()
            ],
            "series": [[ts, msat] for ts, msat in await earnings.series(now=now)],
            "sessions_open": self.sessions_open,
            "mailed": self._post.letters if self._post is not None else 0,
            "credit_msat": await self._store.credits.total_msat(),
        }


async def _read_hello(
    stream: ByteStream, reader: wire.MessageReader
) -> tuple[wire.Hello, list[wire.Message]]:
    while True:
        data = await stream.receive_some()
        if not data:
            raise CircuitClosed("The client left before it said hello.")
        messages = reader.feed(data)
        if messages:
            first, *rest = messages
            if not isinstance(first, wire.Hello):
                raise ProtocolError("The client's first message is not a hello.")
            return first, rest
