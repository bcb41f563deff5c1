"""The process that `test_crash` kills: moves money between two wallets until it is shot.

Arguments: folder, mint, second mint (for invoices), seed. Prints one line when it is ready and one
for every finished move. It recovers first, as every start does.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import trio

from tests.wallet.support import SESSION, a_wallet, available, fund
from wallet.errors import WalletError
from wallet.wallet import Wallet

FLOOR_SAT = 400


async def token(rng: random.Random, url: str, client: Wallet, _ghost: Wallet, _other: str) -> None:
    await client.receive(await client.send(url, rng.randrange(1, 90)))


async def melt(rng: random.Random, url: str, client: Wallet, _ghost: Wallet, other: str) -> None:
    invoice = (await client.request_mint(other, rng.randrange(1, 30))).invoice
    await client.melt((await client.melt_quote(url, invoice)).quote_id)


async def pay(rng: random.Random, url: str, client: Wallet, ghost: Wallet, _other: str) -> None:
    payment = await client.pay_prepare(url, rng.randrange(1, 70))
    redeemed = await ghost.redeem(
        url, payment.proofs, payment.amount_sat, payment.outputs, SESSION, payment.keyset_id
    )
    await client.pay_settle(payment.id, redeemed.change)


async def refund(rng: random.Random, url: str, client: Wallet, ghost: Wallet, _other: str) -> None:
    slot = await client.refund_outputs(url, 60)
    change = await ghost.refund(url, rng.randrange(1, 60), slot.outputs, SESSION, slot.keyset_id)
    await client.refund_settle(slot.id, change)


async def main(folder: Path, url: str, other: str, seed: int) -> None:
    rng = random.Random(seed)
    async with (
        a_wallet(folder, "client", url, other) as client,
        a_wallet(folder, "ghost", url) as ghost,
    ):
        print("ready", flush=True)
        for wallet in (client, ghost):
            await wallet.recover()
        while True:
            if await available(client) < FLOOR_SAT:
                await fund(client, url, FLOOR_SAT)
            move = rng.choice([token, token, melt, pay, pay, refund])
            try:
                await move(rng, url, client, ghost, other)
            except WalletError as error:
                print(f"error {error.code}", flush=True)
            print(move.__name__, flush=True)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
