"""A process that moves money in every way and logs all that the wallet hands out but the tokens.

`python -m tests.helpers.wallet_talk FOLDER MINT OTHER`: every logger at its most talkative, the
`repr` of every value, the whole traceback of every error. It prints "ready" when it is done and
waits for its standard input to end, so that a test can look at the living process.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable
from pathlib import Path

import trio

from tests.wallet.fake_mint import URL as LIAR
from tests.wallet.fake_mint import FakeMint, Json
from tests.wallet.support import SESSION, a_wallet
from wallet.ecash.conditions import lock_to_keys
from wallet.errors import WalletError
from wallet.wallet import Wallet

PROMPT = "How deep do leeks grow, quuxpromptmark?"
NAMES = ("client", "ghost", "deceived")
log = logging.getLogger("talk")


async def fails(what: Awaitable[object]) -> None:
    """Log an error that has to come, with its causes."""
    try:
        await what
    except WalletError as exc:
        log.error("%r %s %s %s", exc, exc.message, exc.kept, exc.hint, exc_info=exc)
    else:
        raise SystemExit("an error was expected")


async def moves(client: Wallet, ghost: Wallet, url: str, other: str) -> None:
    """Mint, send, receive, locks, requests, payment, refund, melt, waiting, evening out, restore;
    and what goes wrong."""
    quote = await client.request_mint(url, 500)
    log.info("%r %r", quote, await client.complete_mint(quote.quote_id))
    token = await client.send(url, 21, "a leek")
    log.info("%r", await ghost.receive(token))
    await fails(ghost.receive(token))
    await fails(ghost.receive(token[:-9]))
    await fails(ghost.receive("x" + token))
    await fails(client.send(url, 100_000))
    locked = await client.send(url, 13, lock=lock_to_keys([await ghost.lock_key()]))
    await fails(client.receive(locked))
    log.info("%r", await ghost.receive(locked))
    paid = await client.pay_request(await ghost.request(8, "an onion"))
    log.info("%r %r", paid, await ghost.receive(paid.token))
    payment = await client.pay_prepare(url, 30)
    redeemed = await ghost.redeem(
        url, payment.proofs, payment.amount_sat, payment.outputs, SESSION, payment.keyset_id
    )
    log.info("%r %r", payment, redeemed)
    log.info("%r", await client.pay_settle(payment.id, redeemed.change))
    await fails(ghost.redeem(url, payment.proofs, 1, [], bytes(32), payment.keyset_id))
    slot = await client.refund_outputs(url, 9)
    change = await ghost.refund(url, 9, slot.outputs, SESSION)
    log.info("%r %r %r", slot, change, await client.refund_settle(slot.id, change))
    invoice = (await ghost.request_mint(other, 11)).invoice
    melt = await client.melt_quote(url, invoice)
    log.info("%r %r", melt, await client.melt(melt.quote_id))
    await fails(client.melt("no such quote"))
    await client.send(url, 5)
    (sent, *_) = await client.sent_tokens()
    log.info(
        "%r %r", await client.sent.check(sent.op_id), await client.waiting.sent(sent.op_id, 0.3)
    )
    log.info("%r %r", await client.sent.take_back(sent.op_id), await client.freshen(url))
    await fails(client.sent.take_back(sent.op_id))
    quote = await client.request_mint(url, 7)
    log.info("%r", await client.waiting.fund(quote.quote_id, url, 5))
    moved = await ghost.balancing.quote_even()
    log.info("%r %r", moved, await ghost.balancing.run(moved))
    invoice = (await client.request_mint(url, 9)).invoice
    log.info("%r", await ghost.pay_quote(invoice))
    for wallet in (client, ghost):
        log.info("%r %r", wallet, await wallet.recover())
        log.info("%r %r", await wallet.balances(), await wallet.history())
        log.info("%r %r", await wallet.sent_tokens(), await wallet.restore(url))


async def deceived(wallet: Wallet, mint: FakeMint) -> None:
    """A mint that signs wrongly, loses answers and goes away."""

    def worse(_path: str, answer: Json) -> Json:
        for signature in answer.get("signatures", []):
            signature["C_"] = "02" + "11" * 32
        return answer

    token = await wallet.send(LIAR, 21)
    mint.tamper = worse
    await fails(wallet.receive(token))
    mint.tamper = None
    mint.faults = lambda path: "lose_answer" if path.endswith("/swap") else ""
    log.info("%r", await wallet.recover())
    log.info("%r", await wallet.receive(await wallet.send(LIAR, 3)))
    mint.faults, mint.down = (lambda _path: ""), True
    await fails(wallet.receive(await wallet.send(LIAR, 64)))
    log.info("%r %r", await wallet.recover(), await wallet.balances())


async def life(folder: Path, url: str, other: str) -> None:
    async with (
        a_wallet(folder, "client", url) as client,
        a_wallet(folder, "ghost", url, other) as ghost,
    ):
        chat = await client._store.sessions.create(PROMPT, "small")
        log.info("%r", await client._store.messages.add(chat.session_id, "user", PROMPT))
        await moves(client, ghost, url, other)
        mint = FakeMint()
        async with a_wallet(
            *(folder, "deceived", LIAR), transport=mint, fund_sat=200, timeout_s=2
        ) as wallet:
            await deceived(wallet, mint)
            print("ready", flush=True)
            await trio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    logging.basicConfig(level=1, stream=sys.stderr)
    trio.run(life, Path(sys.argv[1]), *sys.argv[2:])
