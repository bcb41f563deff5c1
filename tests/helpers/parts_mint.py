"""The Nutshell mint with a Lightning network that carries parts (NUT-15). Run by the mint's own
Python, never imported by tests.

The mint is the real one; its test backend pays no parts, so this one stands in for it. The network
between several such mints is a folder (PARTS_NETWORK): a part waits there until all parts of its
invoice have come, as a receiver of Lightning does, and comes back when they do not.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from bolt11 import decode  # type: ignore[import-not-found]
from cashu.core.base import Amount, Unit  # type: ignore[import-not-found]
from cashu.lightning.base import (  # type: ignore[import-not-found]
    PaymentQuoteResponse,
    PaymentResponse,
    PaymentResult,
    PaymentStatus,
)
from cashu.lightning.fake import FakeWallet  # type: ignore[import-not-found]
from cashu.mint.main import main  # type: ignore[import-not-found]

NETWORK = Path(os.environ["PARTS_NETWORK"])
PATIENCE_S = float(os.environ.get("PARTS_PATIENCE_S", "10"))


async def quote_part(self: FakeWallet, melt_quote: object) -> PaymentQuoteResponse:
    whole = await plain_quote(self, melt_quote)
    if not melt_quote.is_mpp:  # type: ignore[attr-defined]
        return whole
    part = Amount(Unit.msat, melt_quote.mpp_amount)  # type: ignore[attr-defined]
    return PaymentQuoteResponse(
        checking_id=whole.checking_id, fee=whole.fee, amount=part.to(self.unit)
    )


async def pay_part(self: FakeWallet, quote: object, fee_limit: int) -> PaymentResponse:
    del fee_limit
    invoice = decode(quote.request)  # type: ignore[attr-defined]
    place = NETWORK / invoice.payment_hash
    place.mkdir(exist_ok=True)
    mine = place / str(os.getpid())
    mine.write_text(str(quote.amount))  # type: ignore[attr-defined]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        came = sum(int(part.read_text() or "0") for part in place.iterdir())
        if came * 1000 >= invoice.amount_msat:
            fee = Amount(unit=self.unit, amount=1)
            return PaymentResponse(
                result=PaymentResult.SETTLED,
                checking_id=invoice.payment_hash,
                fee=fee,
                preimage="0" * 64,
            )
        await asyncio.sleep(0.05)
    mine.unlink()
    return PaymentResponse(result=PaymentResult.FAILED, error_message="not all parts came")


async def part_status(self: FakeWallet, checking_id: str) -> PaymentStatus:
    """A part that is not in the folder any more has come back."""
    del self
    there = (NETWORK / checking_id / str(os.getpid())).exists()
    return PaymentStatus(result=PaymentResult.SETTLED if there else PaymentResult.FAILED)


plain_quote = FakeWallet.get_payment_quote
FakeWallet.supports_mpp = True
FakeWallet.get_payment_quote = quote_part
FakeWallet.pay_invoice = pay_part
FakeWallet.get_payment_status = part_status
sys.exit(main())
