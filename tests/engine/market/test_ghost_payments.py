"""What a ghost does with settlements that are sent again, or changed."""

from __future__ import annotations

from dataclasses import replace

from engine.market.commands import Refund
from engine.market.credit import Ledger
from engine.market.ghost_outbox import Outbox
from engine.market.ghost_payments import GhostPayments
from engine.wire import session as wire
from tests.engine.market.make_vectors import quote

QUOTE = quote()
CHANGE = (wire.WireSignature(2, bytes(8), bytes(33), bytes(32), bytes(32)),)


def settle(*outs: int) -> wire.Settle:
    return wire.Settle(QUOTE.mints[0], 18, bytes(8), tuple(bytes([out]) * 33 for out in outs))


def settled(ledger: Ledger) -> tuple[GhostPayments, Outbox]:
    """18 of 23 sat went back over outputs 1 to 3."""
    outbox = Outbox()
    payments = GhostPayments(ledger, outbox, lambda: ledger.balance)
    payments.on_settle(settle(1, 2, 3), QUOTE, busy=False)
    assert outbox.commands.popleft() == Refund(settle(1, 2, 3), 18)
    payments.refunded(5_102, CHANGE)
    outbox.messages.clear()
    return payments, outbox


def test_the_same_settlement_again_is_answered_again() -> None:
    payments, outbox = settled(Ledger(23_102))
    payments.on_settle(settle(1, 2, 3), QUOTE, busy=False)
    assert list(outbox.messages) == [wire.Settled(5_102, CHANGE)]
    assert not outbox.commands


def test_no_second_settlement_over_outputs_of_an_earlier_one() -> None:
    """Its client has booked the first and looks for no more on them: 5 sat would lie at the mint
    until it restores its wallet. So the credit stays credit."""
    for outs in ((3, 2, 1), (1, 2), (4, 3)):
        payments, outbox = settled(Ledger(23_102))
        payments.on_settle(settle(*outs), QUOTE, busy=False)
        (message,) = outbox.messages
        assert isinstance(message, wire.Error)
        assert (message.code, message.retry) == ("settle_failed", False)
        assert not outbox.commands
        payments.on_settle(replace(settle(7, 8, 9), sat=5), QUOTE, busy=False)
        assert outbox.commands.popleft() == Refund(replace(settle(7, 8, 9), sat=5), 5)
