"""The honest client of the market simulation: the program's session and wallet, watched.

`Asker` remembers what was under way when an answer was given up; `Purse` notes each payment, and
cheats where the case's trick tells it to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.market.sizing import first_stake_sat
from engine.market.weight import metered_bytes
from engine.session.client import AskSession
from engine.session.vault import SavedSession
from engine.wire import session as wire
from engine.wire.session import session_hash
from wallet.errors import InsufficientFunds
from wallet.types import OutgoingPayment, RefundSlot

if TYPE_CHECKING:
    from bench.market_case import Case


@dataclass(slots=True)
class Paid:
    """A payment as it was prepared."""

    op_id: str
    amount_sat: int
    total_sat: int
    fee_sat: int


def session_name(saved: SavedSession) -> bytes:
    """A session's name in the ghost's books."""
    return session_hash(saved.session, saved.key)


class Asker(AskSession):
    """The program's own session, which remembers what was under way when it was given up."""

    def __init__(self, *args: Any, case: Case, **options: Any) -> None:
        super().__init__(*args, **options)
        self._case = case

    @property
    def saved(self) -> SavedSession | None:
        return self._saved

    def unfinished_msat(self) -> int:
        """The meter of the answer under way."""
        answer = self._session.answer if self._session is not None else None
        if answer is None or not answer.started:
            return 0
        if answer.out:
            return answer.tariff.running_msat(answer.out)
        return min(answer.tariff.accepted_msat, answer.tariff.chunk_msat)

    async def _ask(self, run: Any, body: bytes, messages: int) -> Any:
        session, _ = self._parts()
        tariff = session.tariff(run.model, metered_bytes(body), messages)
        ppk = self._case.world.fee_ppk
        stake = first_stake_sat(tariff.first_msat, tariff.chunk_msat, ppk) * 1000
        self._case.stake_msat = max(self._case.stake_msat, stake)
        return await super()._ask(run, body, messages)

    async def _failed(self, error: Exception, run: Any) -> Exception:
        before = self.unfinished_msat()
        told = await super()._failed(error, run)
        self._case.unfinished_msat += before - self.unfinished_msat()
        return told

    async def _handle(self, message: wire.Message) -> None:
        meter = self.unfinished_msat()
        await super()._handle(message)
        if isinstance(message, wire.Done):
            self._case.accepted_msat += max(meter, message.cost)
            self._case.billed_msat += message.cost
        elif isinstance(message, wire.Error) and meter and not self.unfinished_msat():
            self._case.accepted_msat += meter  # the text came; that it is free is credit

    async def _greet(self, stream: Any) -> None:
        await super()._greet(stream)
        if self._case.trick.steals_change and self._saved is not None:
            self._case.host.robs.add(session_name(self._saved))


class Purse:
    """The client's wallet in one session: notes each payment, and cheats where it is told to."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._last: OutgoingPayment | None = None
        self._twice: set[str] = set()
        """Payments that two ghosts were handed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._case.client.wallet, name)

    async def pay_prepare(
        self, url: str, amount_sat: int, purpose: str = "chunk"
    ) -> OutgoingPayment:
        case, trick = self._case, self._case.trick
        if trick.withholds_after is not None and len(case.payments) >= trick.withholds_after:
            raise InsufficientFunds("It pays no more.", needed_sat=amount_sat, available_sat=0)
        last, self._last = self._last, None
        if trick.double_spends == "twin" and last is not None and last.amount_sat == amount_sat:
            self._twice.add(last.id)
            return last
        paid = await case.client.wallet.pay_prepare(url, amount_sat, purpose)
        self._last = paid
        self._note(paid)
        return paid

    async def pay_abort(self, payment_id: str) -> None:
        if payment_id not in self._twice:  # the other ghost has it
            await self._case.client.wallet.pay_abort(payment_id)

    async def pay_locked(self, url: str, amount_sat: int, key: str) -> OutgoingPayment | None:
        paid = await self._case.client.wallet.pay_locked(url, amount_sat, key)
        if paid is not None:
            self._note(paid)
        return paid

    def _note(self, paid: OutgoingPayment) -> None:
        self._case.payments.append(Paid(paid.id, paid.amount_sat, paid.total_sat, paid.fee_sat))

    async def refund_outputs(self, url: str, max_sat: int) -> RefundSlot:
        slot = await self._case.client.wallet.refund_outputs(url, max_sat)
        self._case.slots.append(slot.id)
        return slot
