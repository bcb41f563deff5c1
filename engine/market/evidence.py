"""What signed documents prove of a ghost, and how a client finds such among what it was sent.

A proof stands by the ghost's own signatures: whoever it comes from, it cannot be made up about a
ghost that did not sign. The one honest way to sign two receipts with one number is a store that was
brought back from a backup while sessions went on, which docs/ghost.md tells operators not to do.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.crypto.keys import node_id_of
from engine.errors import WireError
from engine.market.meter import Counts, Tariff
from engine.wire import signed
from engine.wire.evidence import CHAIN, OVERBILL, TWICE, Evidence
from engine.wire.quote import Quote
from engine.wire.receipt import Receipt, receipt_hash


@dataclass(frozen=True, slots=True)
class Finding:
    """What a document proves."""

    ghost: bytes
    """NodeID."""
    kind: str
    model: str


def prove(evidence: Evidence) -> Finding:
    """What the document proves. Raises WireError when that is nothing."""
    second = Receipt.decode(evidence.second, evidence.key)
    if evidence.kind == OVERBILL:
        _prove_overbill(evidence, second)
    else:
        first = Receipt.decode(evidence.first, evidence.key)
        if first.session != second.session:
            raise WireError("The receipts are of different sessions.")
        if evidence.kind == TWICE:
            _prove_twice(evidence, first, second)
        else:
            _prove_chain(evidence, first, second)
    return Finding(node_id_of(evidence.key), evidence.kind, second.model)


def _prove_overbill(evidence: Evidence, receipt: Receipt) -> None:
    quote = Quote.decode(evidence.first)
    if quote.key != evidence.key or quote.id != receipt.quote:
        raise WireError("The receipt is not under this quote.")
    offer = quote.offer(receipt.model)
    if offer is None:
        raise WireError("The quote does not name the receipt's model.")
    counts = Counts(receipt.tin, receipt.tout, receipt.tcached, receipt.treason)
    exact = Tariff.of(quote, offer, 0, 0).exact_msat(counts)
    if receipt.cost <= min(exact, quote.cap_msat):
        raise WireError("The receipt costs no more than its quote allows.")


def _prove_twice(evidence: Evidence, first: Receipt, second: Receipt) -> None:
    same = signed.split(evidence.first)[1] == signed.split(evidence.second)[1]
    if first.n != second.n or same:
        raise WireError("The receipts do not say two things of one answer.")


def _prove_chain(evidence: Evidence, first: Receipt, second: Receipt) -> None:
    if second.n != first.n + 1 or second.prev == receipt_hash(evidence.first):
        raise WireError("The second receipt goes on from the first as it must.")


def find_evidence(quote: bytes, earlier: Sequence[bytes], disputed: bytes) -> list[Evidence]:
    """What a refused receipt proves, with the quote it is under and the receipts before it.

    Nothing, when the ghost only said in plain words what it did not sign."""
    try:
        key = Quote.decode(quote).key
    except WireError:
        return []
    found = [Evidence(OVERBILL, key, quote, disputed)]
    for receipt in earlier:
        first, second = sorted((receipt, disputed))
        found.append(Evidence(TWICE, key, first, second))
        found.append(Evidence(CHAIN, key, receipt, disputed))
    return [one for one in found if _holds(one)]


def _holds(evidence: Evidence) -> bool:
    try:
        prove(Evidence.decode(evidence.encode()))
    except WireError:
        return False
    return True
