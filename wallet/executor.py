"""Moves one operation of the journal to its end, whatever the mint and the network do.

The order is always: commit the operation, ask the mint, check, book. When an answer is missing,
nothing is guessed: the mint is asked for the state of the inputs (NUT-07) or the quote, and then
for the signatures (NUT-09); only when it has not touched either is the identical request sent
again. In that order, because a request of ours may still be at work there: what it ends between
the two questions is seen by the second. A refusal is looked into before it is believed, and inputs
that the mint holds as pending are never given back.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import trio

from wallet import journal, settle
from wallet.copies import Copies
from wallet.ecash import conditions
from wallet.ecash.curve import secret_to_y
from wallet.ecash.deterministic import Seed
from wallet.ecash.errors import EcashError
from wallet.ecash.quotes import sign
from wallet.ecash.types import BlindSignature, Proof, ProofState
from wallet.errors import (
    MintBusy,
    MintError,
    MintLied,
    MintProblem,
    MintUnreachable,
    PaymentInvalid,
    QuoteNotPaid,
    TokenInvalid,
    UnknownOperation,
    WalletError,
)
from wallet.journal import Kind, Operation, OutputSpec, Result, Role, State
from wallet.mints import MintBook
from wallet.opening import Opener, lock_has_ended
from wallet.reclaim import prepare_reclaim
from wallet.settle import Checked
from wallet.store import Store, Transaction
from wallet.underway import UnderWay

ATTEMPTS = 4
BACKOFF_S = 0.2
# NUT error codes after which the same request may yet succeed: spent, pending, already signed,
# issued; and 0, which the Nutshell mint also gives for its own passing troubles.
PASSING = {0, 11001, 11002, 11003, 11004, 20002, 20005}
# Codes that say nothing of another copy of the request: those, and a Lightning payment that failed
# this time.
OF_THIS_COPY = PASSING | {20004}
Pairs = list[tuple[OutputSpec, BlindSignature]]


class Ended(Exception):
    """Inside this module: a look found the operation at an end without success. It is booked
    already; `error` is what its caller is told. Unlike a mint's refusal it is never retried."""

    def __init__(self, error: WalletError) -> None:
        super().__init__(error.message)
        self.error = error


class Executor:
    def __init__(self, store: Store, seed: Seed, mints: MintBook, opener: Opener) -> None:
        self._store = store
        self._seed = seed
        self._mints = mints
        self._opener = opener
        self._locks: dict[str, trio.Lock] = {}
        self._copies = Copies()
        self.under_way = UnderWay()
        # Operations nobody is moving any more although they are not at their end: `recover`'s.
        self.left: set[str] = set()

    async def load(self, op_id: str, *kinds: Kind) -> Operation:
        """An operation of the journal. Raises UnknownOperation, also for one of another kind."""
        row = await self._store.run(lambda tx: tx.operations.get(op_id))
        if row is None or (kinds and row.kind not in kinds):
            raise UnknownOperation("There is no such operation in the journal.")
        return journal.from_row(row)

    def lock(self, op_id: str) -> trio.Lock:
        """One task at a time may move an operation."""
        return self._locks.setdefault(op_id, trio.Lock())

    async def drive(self, op_id: str, *, resend: bool = True) -> Result:
        """To the end, or an error that says where it waits. With `resend=False` a request the
        mint has not seen is taken back instead of sent."""
        try:
            async with self.lock(op_id):
                with self.under_way.one():
                    op = await self.load(op_id)
                    op_result = op.result or await self._drive(op, resend)
        except Ended as end:
            self._copies.forget(op_id)
            raise end.error from None
        except MintBusy as exc:
            self.left.add(op_id)
            await self._set_state(op_id, State.HELD, exc.message)
            raise
        except BaseException:  # a cancellation too: from here on it is recover's
            self.left.add(op_id)
            raise
        self.left.discard(op_id)
        self._locks.pop(op_id, None)
        self._copies.forget(op_id)
        if op_result.failed:
            raise MintError(op_result.failed, mint_code=0)
        return op_result

    async def _drive(self, op: Operation, resend: bool) -> Result:
        looked = op.state is State.PREPARED  # then there is nothing to look for
        if not looked:
            self._copies.assume(op.id)
        trouble: MintProblem | None = None
        refusal: MintError | None = None
        final = False
        for attempt in range(ATTEMPTS):
            if attempt:
                await trio.sleep(BACKOFF_S * 2 ** (attempt - 1))
            if not looked:
                try:
                    found = await self.look(op)
                except (MintUnreachable, MintLied, MintError) as exc:
                    trouble = exc  # about the look, whatever it says: nothing follows for the op
                    continue
                if found is not None:
                    return found
                if refusal is not None and (final or attempt == ATTEMPTS - 1):
                    return await self._refused(op, refusal)
            if not resend:
                return await self.take_back(op)
            looked = False
            try:
                await self._set_state(op.id, State.EXECUTING)
                with self._copies.sending(op.id):
                    pairs = await self._request(op)
                return await self.finish(op, pairs)
            except MintError as exc:
                trouble = refusal = exc
                final = exc.mint_code not in PASSING
            except (MintUnreachable, MintLied) as exc:
                trouble, refusal = exc, None
        return await self._wait(op, trouble)

    async def _refused(self, op: Operation, error: MintError) -> Result:
        """The mint refused this very content and has not touched the inputs: take it back, unless
        an earlier copy of the request may yet arrive and be carried out."""
        if error.mint_code in OF_THIS_COPY and self._copies.may_arrive(op.id):
            kept = "The amount is held until it is certain that the mint will not act on it."
            hint = "It is looked at again by itself."
            return await self._wait(op, MintUnreachable(error.message, kept=kept, hint=hint))
        await self.fail(op, error.message)
        raise error

    async def _wait(self, op: Operation, error: MintProblem | None) -> Result:
        """Out of attempts with the outcome unknown: the journal keeps it for `recover`."""
        state = State.HELD if isinstance(error, MintLied) else State.PENDING
        problem = error or MintUnreachable(f"The mint {op.mint} gave no complete answer.")
        await self._set_state(op.id, state, problem.message)
        raise problem

    # -- asking

    async def _request(self, op: Operation) -> Pairs:
        client = self._mints.client(op.mint)
        messages = op.messages(self._seed)
        specs = op.body.outputs
        if op.kind is Kind.MINT:
            quote = await self._store.run(lambda tx: tx.quotes.get_mint(op.mint, op.body.quote_id))
            key = quote.private_key if quote else None
            locked = sign(key, op.body.quote_id, [m.B_ for m in messages]) if key else None
            signatures = await client.mint(op.body.quote_id, messages, locked)
        elif op.kind is Kind.MELT:
            state, signatures = await client.melt(op.body.quote_id, op.inputs, messages)
            if state != "PAID":
                raise MintBusy(
                    "The payment is under way and not decided yet.",
                    kept="The ecash for it is held until the mint decides.",
                    hint="Look again in a while.",
                )
            if len(signatures) > len(specs):
                raise self._wrong(op, "it signed more change than there were outputs")
            return list(zip(specs, signatures, strict=False))
        else:
            signatures = await client.swap(op.inputs, messages)
        if len(signatures) != len(specs):
            raise self._wrong(op, "it did not sign every output")
        return list(zip(specs, signatures, strict=True))

    async def look(self, op: Operation) -> Result | None:
        """What has become of the request: the result when it went through, None when the mint
        has not touched it. Raises MintBusy while it is undecided."""
        if op.kind is Kind.MELT:
            return await self._look_at_melt(op)
        if op.kind in (Kind.PAY, Kind.SLOT):
            return await self._look_at_blanks(op)
        if op.kind is Kind.MINT:
            state = (await self._mints.client(op.mint).mint_quote(op.body.quote_id)).state
            return await self._signed(op) or await self._without_coins(op, state)
        states = await self.states(op)
        return await self._signed(op) or await self._without_outputs(op, states)

    async def _signed(self, op: Operation) -> Result | None:
        """The result when the mint has signed the outputs; never a part of them."""
        found = await self._restore(op.body.outputs, op.mint)
        if found and not await self._is_ours(op, found):
            return None
        if len(found) == len(op.body.outputs):
            return await self.finish(op, found)
        if found:
            raise _busy("The mint has signed only a part of the outputs.")
        return None

    async def _is_ours(self, op: Operation, found: Pairs) -> bool:
        """Whether these were signed for this operation, and not a peer's outputs for another."""
        if op.kind is Kind.REDEEM:  # the mint signs all of a request, ours among them, or nothing
            return any(spec.role is not Role.PEER for spec, _ in found)
        if op.kind is Kind.REFUND:
            return all(state is ProofState.SPENT for state in await self.states(op))
        return True

    async def _without_outputs(self, op: Operation, states: Sequence[ProofState]) -> Result | None:
        """The outputs are not signed: what the inputs' states, asked before, say about it."""
        if ProofState.PENDING in states:
            raise _busy("The mint holds the inputs as pending.")
        if ProofState.SPENT not in states:
            return None
        fallback = await self._restore(op.body.fallback, op.mint)
        if fallback or op.kind is Kind.RECLAIM:
            # The peer was faster than our reclaim: its change is ours, its price is gone.
            return await self._finish_lost_race(op, fallback, states)
        raise await self._spent_elsewhere(op, states)

    async def _without_coins(self, op: Operation, state: str) -> Result | None:
        """The coins of an invoice are not signed: what its state, asked before, says about it."""
        if state == "PAID":
            return None
        if state == "UNPAID":
            await self.fail(op, "The invoice was not paid.", forget=True)
            raise Ended(QuoteNotPaid("The invoice is not paid yet.", hint="Pay it and try again."))
        if state == "ISSUED":
            message = "The mint says the coins of this invoice were already issued to someone."
            await self.fail(op, message)
            raise Ended(MintError(message, mint_code=20002))
        raise _busy("The mint is working on this invoice.")

    async def _look_at_melt(self, op: Operation) -> Result | None:
        state = (await self._mints.client(op.mint).melt_quote(op.body.quote_id)).state
        states = await self.states(op)
        if state == "PAID" and all(s is ProofState.SPENT for s in states):
            return await self.finish(op, await self._restore(op.body.outputs, op.mint))
        if state != "UNPAID" or any(s is not ProofState.UNSPENT for s in states):
            raise _busy("The payment is under way and not decided yet.")
        if op.state is State.HELD:
            # It was under way, and the mint has let go of the ecash: the payment has failed.
            message = "The payment of the invoice failed."
            await self.fail(op, message)
            kept = "The ecash is available again."
            raise Ended(MintError(message, mint_code=20004, kept=kept))
        return None

    async def _look_at_blanks(self, op: Operation) -> Result | None:
        states = await self.states(op) if op.inputs else []
        found = await self._restore(op.body.outputs, op.mint)
        if found:
            return await self.finish(op, found)
        if op.kind is Kind.SLOT:
            return None
        if ProofState.PENDING in states:
            raise _busy("The mint holds the payment as pending.")
        if all(s is ProofState.SPENT for s in states):
            return await self.finish(op, [])
        return None

    async def states(self, op: Operation) -> list[ProofState]:
        """What the mint says of the inputs, in their order (NUT-07)."""
        ys = [secret_to_y(proof.secret) for proof in op.inputs]
        return await self._mints.client(op.mint).states(ys)

    async def _restore(self, specs: Sequence[OutputSpec], mint: str) -> Pairs:
        if not specs:
            return []
        messages = [journal.message(spec, self._seed) for spec in specs]
        found = await self._mints.client(mint).restore(messages)
        return [
            (spec, found[m.B_]) for spec, m in zip(specs, messages, strict=True) if m.B_ in found
        ]

    # -- ending

    async def check(self, op: Operation, pairs: Pairs) -> Checked:
        """Verify off the event loop; MintLied when anything is wrong."""
        if any(not self._mints.knows(op.mint, signature.id) for _, signature in pairs):
            # Whatever this says must not be taken for an answer to the operation's request.
            with suppress(MintProblem):
                await self._mints.refresh(op.mint)
        try:
            return await trio.to_thread.run_sync(
                settle.check, pairs, self._seed, lambda i: self._mints.keyset(op.mint, i)
            )
        except EcashError as exc:
            raise self._wrong(op, str(exc)) from exc

    async def finish(self, op: Operation, pairs: Pairs) -> Result:
        """Verify what the mint signed and book it, in one transaction. Raises MintLied."""
        checked = await self.check(op, pairs)
        return await self._store.run(lambda tx: settle.book(tx, op, checked))

    async def fail(self, op: Operation, why: str, *, forget: bool = False) -> None:
        """Take an operation back: inputs available again, credit given back. Only when it is
        certain that the mint will not act on it any more."""

        def work(tx: Transaction) -> None:
            row = tx.operations.get(op.id)
            if row is None or row.state == State.DONE:
                return  # ended before: its credit must not come back twice
            tx.proofs.release(op.id)
            if op.kind is Kind.REFUND:
                tx.credits.add(bytes.fromhex(op.body.session), op.body.amount_sat * 1000)
            # What a peer or the user may ask for again must not meet its old failure.
            if forget or op.dedup is not None:
                tx.operations.remove(op.id)
            else:
                tx.operations.finish(op.id, journal.encode(Result(failed=why)))

        await self._store.run(work)

    async def take_back(self, op: Operation) -> Result:
        """Make sure an unseen request can never come true: spend its inputs to ourselves."""
        if not op.body.own or op.kind not in (Kind.MELT, Kind.PAY):
            raise _busy("The operation waits to be sent again.")
        states = await self.states(op)
        if all(state is ProofState.SPENT for state in states):
            # Spent since the look that found them untouched: what it was spent for is to be had.
            found = await self.look(op)
            if found is not None:
                return found
        inputs = await self._opened(op)
        reclaim_id = await self._store.run(
            lambda tx: prepare_reclaim(tx, op, inputs, states, self._mints)
        )
        if reclaim_id is None:
            return Result()
        return await self.drive(reclaim_id)

    async def _opened(self, op: Operation) -> list[Proof]:
        """The inputs with what opens those that were locked to a peer. Raises MintBusy before
        their lock has ended: the peer may still spend them, and we cannot."""
        locks = [lock for proof in op.inputs if (lock := conditions.parse(proof.secret))]
        end = max((lock.locktime or 0 for lock in locks), default=0)
        if locks and not lock_has_ended(end, self._store.clock()):
            raise _busy("The payment is locked to the ghost for a while yet.")
        return (await self._opener.open(op.inputs, ""))([]) if locks else op.inputs

    async def _finish_lost_race(
        self, op: Operation, pairs: Pairs, states: Sequence[ProofState]
    ) -> Result:
        checked = await self.check(op, pairs)

        def work(tx: Transaction) -> Result:
            tx.proofs.delete(op.mint, self._secrets(op, states, ProofState.SPENT))
            tx.proofs.release(op.id)
            return settle.book(tx, op, checked)

        return await self._store.run(work)

    async def _spent_elsewhere(self, op: Operation, states: Sequence[ProofState]) -> Ended:
        await self._store.run(
            lambda tx: tx.proofs.delete(
                op.mint, self._secrets(op, states, ProofState.SPENT) if op.body.own else []
            )
        )
        message = "The mint says this ecash was spent before."
        await self.fail(op, message)
        if op.kind is Kind.RECEIVE:
            return Ended(TokenInvalid(message, hint="Someone has already redeemed the token."))
        if op.kind is Kind.REDEEM:
            return Ended(PaymentInvalid(message))
        error = MintError(
            message,
            mint_code=11001,
            kept="What was not spent is available again.",
            hint="If these seed words are used on another device, restore here.",
        )
        return Ended(error)

    @staticmethod
    def _secrets(op: Operation, states: Sequence[ProofState], wanted: ProofState) -> list[str]:
        proofs: Sequence[Proof] = op.inputs
        return [p.secret for p, state in zip(proofs, states, strict=True) if state is wanted]

    async def _set_state(self, op_id: str, state: State, error: str = "") -> None:
        await self._store.run(lambda tx: tx.operations.set_state(op_id, state.value, error))

    def _wrong(self, op: Operation, how: str) -> MintLied:
        return MintLied(
            f"The mint {op.mint} gave a wrong answer: {how}.",
            kept="The operation stays in the journal and is looked at again.",
            hint="If it stays so, do not use this mint.",
        )


def _busy(message: str) -> MintBusy:
    return MintBusy(
        message,
        kept="Nothing was given up; the amount shows as held until the mint decides.",
        hint="It is looked at again at the next start.",
    )
