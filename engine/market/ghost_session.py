"""The ghost's side of a session as a state machine: messages in, messages and commands out.

    receive(message)            from the client
    redeemed / provider_text .. results of the commands the shell carried out
    next_command()              what the shell must do now (redeem, ask the provider, commit, ...)
    take(max_bytes)             the next bytes for the client, as soon as credit allows them

It outlives the stream: `attach` and `detach` follow the client from circuit to circuit. Nothing is
charged before the answer's end, and an answer that fails costs nothing. Answers are the business of
`ghost_answering`, money that of `ghost_payments`, bills that of `ghost_receipts`. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import ProtocolError
from engine.market.commands import Admitted, Chain, Command, EndSession, Refusal
from engine.market.ghost_answer import Phase
from engine.market.ghost_answering import GhostAnswering
from engine.market.ghost_mail import is_over, write_letter
from engine.market.ghost_payments import GhostPayments
from engine.wire import session as wire
from engine.wire.quote import Quote


class GhostSession(GhostAnswering):
    """All state of one client's session."""

    def __init__(
        self,
        *,
        session: bytes,
        key: bytes,
        balance: int,
        chain: Chain,
        sign: Callable[[bytes], bytes],
        admit: Callable[[wire.Ask], Admitted | Refusal],
    ) -> None:
        super().__init__(
            session=session, key=key, balance=balance, chain=chain, sign=sign, admit=admit
        )
        self._payments = GhostPayments(self.ledger, self._outbox, self._reported)

    # -- the stream ------------------------------------------------------------------------------

    def attach(self, quote: Quote, raw_quote: bytes, *, resumed: bool) -> None:
        """A stream of this client is up: everything queued for an older one is void."""
        self._take_quote(quote)
        self._outbox.messages.clear()
        self._told_need = -1
        self._outbox.say(wire.QuoteMsg(raw_quote))
        self._held = self.answer is not None
        self._unreported = self._unseen_cost()
        if resumed:
            self._outbox.say(wire.Paid(0, self._reported(), ()))

    def _unseen_cost(self) -> int:
        """The price of a bill the client may not have seen: it did not accept it yet."""
        answer = self.answer
        if answer is None or answer.bill is None or answer.phase is not Phase.BILLED:
            return 0
        return 0 if answer.bill.accepted else answer.bill.cost

    def detach(self) -> None:
        """The stream is gone; the session waits for the client."""
        self._outbox.messages.clear()
        self._held = True

    def take(self, max_bytes: int) -> bytes:
        """Messages to send now, b"" when there are none. Text goes as far as credit reaches."""
        waiting = self._outbox.messages
        parts: list[bytes] = []
        size = 0
        while waiting and size < max_bytes:
            parts.append(wire.encode(waiting.popleft()))
            size += len(parts[-1])
        if not waiting and size < max_bytes:
            delta = self._next_delta(max_bytes - size)
            if delta is not None:
                parts.append(wire.encode(delta))
        self._advance()
        if not parts and waiting:
            return self.take(max_bytes)
        return b"".join(parts)

    def next_command(self) -> Command | None:
        commands = self._outbox.commands
        return commands.popleft() if commands else None

    # -- messages of the client ------------------------------------------------------------------

    def receive(self, message: wire.Message) -> None:
        """Act on one message; ProtocolError when no honest client sends it here."""
        match message:
            case wire.Pay():
                self._payments.on_pay(message, self._need_quote(), self._needed_msat())
            case wire.Ask():
                self._on_ask(message)
            case wire.Mail(q, blocks):
                self._on_mail(q, blocks)
            case wire.Cancel(q):
                self._on_cancel(q)
            case wire.Resume(q, have):
                self._on_resume(q, have)
            case wire.Sign(n, sig):
                self._on_sign(n, sig)
            case wire.Settle():
                self._drop_unresumed()
                self._payments.on_settle(message, self._need_quote(), busy=self.busy)
            case wire.Bye():
                self._outbox.do(EndSession())
            case _:
                raise ProtocolError("The client sent a message that has no place here.")

    def _drop_unresumed(self) -> None:
        """A client that settles before it resumed its answer on this stream has given it up: it is
        billed as an abandoned one, so that the settlement does not wait for it for ever."""
        if self._held and self.busy:
            self._cut_short("abandoned")

    def _needed_msat(self) -> int:
        """What the running answer needs in all to go on."""
        return self.answer.next_due_msat if self.answer is not None and self.busy else 0

    # -- results of commands ---------------------------------------------------------------------

    def redeemed(self, n: int, balance: int, change: tuple[wire.WireSignature, ...]) -> None:
        """Payment `n` is in; `balance` is the persisted credit after it."""
        self._payments.redeemed(n, balance, change)
        self._after_payment()

    def pay_failed(self, n: int, code: str, message: str, *, retry: bool) -> None:
        """Payment `n` was not taken; `retry` says that sending it again makes sense."""
        self._payments.failed(n, code, message, retry=retry)
        self._after_payment()

    def _after_payment(self) -> None:
        self._told_need = -1
        self._advance()

    def refunded(self, balance: int, change: tuple[wire.WireSignature, ...]) -> None:
        """The refund is made; `balance` is the persisted credit after it."""
        self._payments.refunded(balance, change)

    def refund_failed(self, message: str, *, retry: bool) -> None:
        """The refund could not be made; `retry` says that asking again makes sense."""
        self._payments.refund_failed(message, retry=retry)

    # -- a client that is away -------------------------------------------------------------------

    @property
    def awaits_mail(self) -> bool:
        """Whether an answer with reply blocks was not mailed yet."""
        answer = self.answer
        return answer is not None and bool(answer.blocks) and not answer.mailed

    @property
    def awaits_signature(self) -> bool:
        """Whether the client was sent a bill and has not accepted it."""
        bill = self.answer.bill if self.answer is not None else None
        return bill is not None and not bill.accepted

    def deliver_to_mail(self) -> None:
        """Nobody reads: what the credit covers counts as delivered, as the mail will hold it."""
        answer = self.answer
        if answer is None or not self._held or answer.phase not in (Phase.RUNNING, Phase.ENDED):
            return
        while answer.next_delta(self.ledger.balance, wire.MAX_DELTA) is not None:
            self.ledger.due = answer.due_msat
        self._advance()

    def mail(self, limit: int) -> bytes:
        """The letter for the client, once, when the answer is over; b"" before that and after."""
        answer = self.answer
        if answer is None or not self.awaits_mail or self._payments.waiting:
            return b""
        if not is_over(answer, self.ledger.balance):
            return b""
        answer.mailed = True
        return write_letter(answer, self.ledger.balance, limit)
