"""What a client pays a ghost and has back from it: payments with blank change, refund slots.

`prepare` journals a payment before it is handed out and sends nothing; the ghost's change settles
it, or the mint says what became of it. Every call may be repeated. The ghost's side:
`wallet.earning`.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallet import journal
from wallet.chunks import lots_worth, payable_until
from wallet.ecash import amounts
from wallet.ecash.deterministic import Seed
from wallet.ecash.types import BlindSignature, Proof
from wallet.errors import MintLied, MintProblem, PaymentInvalid
from wallet.executor import Executor
from wallet.journal import Body, Kind, Operation, OutputSpec, Result, Role, State
from wallet.mints import MintBook
from wallet.prepare import (
    choose_usual,
    own_outputs,
    positive,
    write,
)
from wallet.store import Store, Transaction
from wallet.types import OutgoingPayment, PaymentOutcome, RefundSlot


class Market:
    """Of one wallet."""

    def __init__(self, store: Store, seed: Seed, mints: MintBook, executor: Executor) -> None:
        self._store = store
        self._seed = seed
        self._mints = mints
        self._executor = executor

    # -- the client pays

    async def prepare(self, url: str, amount_sat: int, purpose: str) -> OutgoingPayment:
        """Choose, reserve and journal coins. Asks no mint. Raises InsufficientFunds, BadAmount."""
        url = self._mints.require_sat(url)
        positive(amount_sat)

        async def write_down() -> str:
            return await self._store.run(lambda tx: self._prepare_pay(tx, url, amount_sat, purpose))

        op_id = await self._executor.under_way.coins_for(write_down)
        return await self._outgoing(op_id, url, amount_sat)

    async def prepare_locked(
        self, url: str, amount_sat: int, key: str, purpose: str
    ) -> OutgoingPayment | None:
        """None when no lots for this key make up the amount."""
        url = self._mints.require_sat(url)
        positive(amount_sat)
        op_id = await self._store.run(
            lambda tx: self._prepare_lots(tx, url, amount_sat, key, purpose)
        )
        return None if op_id is None else await self._outgoing(op_id, url, amount_sat)

    async def _outgoing(self, op_id: str, url: str, amount_sat: int) -> OutgoingPayment:
        op = await self._executor.load(op_id)
        return OutgoingPayment(
            id=op_id,
            mint=url,
            amount_sat=amount_sat,
            total_sat=sum(proof.amount for proof in op.inputs),
            fee_sat=op.body.fee_sat,
            keyset_id=self._mints.active(url).id,
            proofs=op.inputs,
            outputs=[message.B_ for message in op.messages(self._seed)],
        )

    def _prepare_pay(self, tx: Transaction, url: str, amount: int, purpose: str) -> str:
        chosen, fee = choose_usual(tx, self._mints, url, amount)
        op_id = self._write_pay(tx, url, amount, chosen, fee, purpose)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    def _prepare_lots(
        self, tx: Transaction, url: str, amount: int, key: str, purpose: str
    ) -> str | None:
        lots = lots_worth(tx.locks.ready(url, key, payable_until(tx.now)), amount)
        if lots is None:
            return None
        chosen = [coin for lot in lots for coin in tx.locks.coins(lot)]
        fee = amounts.input_fee(map(self._mints.fee_ppk(url), chosen))
        op_id = self._write_pay(tx, url, amount, chosen, fee, purpose)
        for lot in lots:
            tx.locks.hand_over(lot, op_id)
        return op_id

    def _write_pay(
        self, tx: Transaction, url: str, amount: int, chosen: list[Proof], fee: int, purpose: str
    ) -> str:
        change = amounts.total(chosen) - fee - amount
        body = Body(
            amount_sat=amount,
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=self._blanks(tx, url, change),
            note=purpose,
        )
        return write(tx, Kind.PAY, url, body, state=State.EXECUTING)

    def _blanks(self, tx: Transaction, url: str, most: int) -> list[OutputSpec]:
        return own_outputs(tx, self._mints, url, [0] * amounts.blanks_for(most), Role.KEEP)

    async def settle(self, payment_id: str, change: Sequence[BlindSignature]) -> int:
        """Book a payment as taken, with the change its receiver had signed.

        Raises PaymentInvalid, after booking, when the change is less than what is due.
        """
        async with self._executor.lock(payment_id):
            op = await self._executor.load(payment_id, Kind.PAY)
            if op.result is not None:
                return op.result.change_sat
            due = amounts.total(op.inputs) - op.body.fee_sat - op.body.amount_sat
            short = sum(signature.amount for signature in change) < due
            result = await self._ask_for_change(op) if short else await self._book(op, change)
        if result.change_sat < due:
            raise PaymentInvalid(
                f"The ghost gave back {result.change_sat} of {due} sat of change.",
                kept="The change that came is in the wallet; the payment is in the history.",
                hint="Use another ghost.",
            )
        return result.change_sat

    async def _ask_for_change(self, op: Operation) -> Result:
        """The ghost handed over less than is due: the mint may have signed all of it (NUT-09), or
        not even have seen the payment. PaymentInvalid leaves it open, for `resolve`."""
        refused = PaymentInvalid(
            "The ghost did not give all of the change back.",
            kept="The mint is asked for it.",
            hint="Use another ghost.",
        )
        try:
            found = await self._executor.look(op)
        except MintProblem as exc:
            raise refused from exc
        if found is None:
            raise refused
        return found

    async def _book(self, op: Operation, signatures: Sequence[BlindSignature]) -> Result:
        if len(signatures) > len(op.body.outputs):
            raise PaymentInvalid("The ghost sent more signatures than there were outputs.")
        pairs = list(zip(op.body.outputs, signatures, strict=False))
        try:
            return await self._executor.finish(op, pairs)
        except MintLied as exc:
            raise PaymentInvalid(
                "The ghost's change is not signed by the mint.",
                kept="The mint is asked for it.",
                hint="Use another ghost.",
            ) from exc

    async def abort(self, payment_id: str) -> None:
        """The payment was never handed to anybody: its ecash is available again."""
        async with self._executor.lock(payment_id):
            op = await self._executor.load(payment_id, Kind.PAY)
            if op.result is None:
                await self._executor.fail(op, "It was not sent.")

    async def resolve(self, payment_id: str) -> PaymentOutcome:
        """Ask the mint what became of a payment; take back what is unspent. MintBusy while the
        mint has not decided, MintUnreachable when it gives no answer: `recover` goes on then."""
        op = await self._executor.load(payment_id, Kind.PAY)
        if op.result is None:
            await self._executor.drive(payment_id, resend=False)
            op = await self._executor.load(payment_id)
            state = "spent"
        else:
            state = "settled"
        result = op.result or Result()
        if not result.failed:
            return PaymentOutcome(state, result.change_sat, 0)
        if not result.successor:
            return PaymentOutcome("reclaimed", 0, result.amount_sat)
        back = (await self._executor.drive(result.successor)).change_sat
        return PaymentOutcome("reclaimed", 0, back)

    # -- the client is refunded

    async def slot(self, url: str, max_sat: int) -> RefundSlot:
        """Blank outputs for up to `max_sat`, journalled. Asks no mint."""
        url = self._mints.require_sat(url)
        positive(max_sat)

        def work(tx: Transaction) -> str:
            body = Body(amount_sat=max_sat, outputs=self._blanks(tx, url, max_sat))
            return write(tx, Kind.SLOT, url, body, state=State.EXECUTING)

        op = await self._executor.load(await self._store.run(work))
        outputs = [message.B_ for message in op.messages(self._seed)]
        return RefundSlot(op.id, url, max_sat, self._mints.active(url).id, outputs)

    async def fill(self, slot_id: str, change: Sequence[BlindSignature]) -> int:
        """Book what a ghost had signed on a slot; sat."""
        async with self._executor.lock(slot_id):
            op = await self._executor.load(slot_id, Kind.SLOT)
            if op.result is None:
                return (await self._book(op, change)).amount_sat
            return op.result.amount_sat

    async def resolve_slot(self, slot_id: str) -> int:
        """Ask the mint whether the slot was signed; sat, 0 while it was not."""
        async with self._executor.lock(slot_id):
            op = await self._executor.load(slot_id, Kind.SLOT)
            result = op.result or await self._executor.look(op)
        return result.amount_sat if result is not None else 0
