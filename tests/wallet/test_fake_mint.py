"""The mint in memory against the real one: one seeded scenario on both, with equal outcomes.

The mathematics is held to the official vectors in tests/wallet/ecash/test_vectors.py. Here whole
wallets and hand-made requests do the same to both mints, and every amount, refusal and code must
agree, so that what a simulation proves over the fast mint says something of the real one.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.helpers.mint import RealMint
from tests.wallet.fake_mint import URL, FakeMint, prove, sign
from tests.wallet.support import SESSION, a_wallet
from wallet.ecash import dleq
from wallet.ecash.amounts import split
from wallet.ecash.conditions import lock_to_keys
from wallet.ecash.curve import secret_to_y, unblind
from wallet.ecash.deterministic import Output, Seed
from wallet.ecash.keysets import Keyset
from wallet.ecash.types import BlindedMessage, BlindSignature, Proof
from wallet.errors import MintError, WalletError
from wallet.mint import MintClient
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio
Outcome = tuple[str, object]


async def outcome(name: str, work: Awaitable[object]) -> Outcome:
    """What came of it, in words that do not depend on keys: a value, or the error and its code."""
    try:
        return name, await work
    except MintError as error:
        return name, ("refused", error.mint_code)
    except WalletError as error:
        return name, error.code


# -- whole wallets ---------------------------------------------------------------------------------


async def moves(folder: Path, url: str, transport: httpx.AsyncBaseTransport | None) -> list[object]:
    """A seeded run of payments, refunds, tokens and double spends between two wallets."""
    rng = random.Random(5)
    seen: list[object] = []
    async with (
        a_wallet(folder, "client", url, transport=transport, fund_sat=300) as client,
        a_wallet(folder, "ghost", url, transport=transport, fund_sat=40) as ghost,
    ):
        used: list[tuple[list[Proof], list[bytes]]] = []
        for number in range(8):
            amount = rng.randrange(1, 24)
            paid = await client.pay_prepare(url, amount)
            used.append((paid.proofs, paid.outputs))
            took = await ghost.redeem(url, paid.proofs, amount, paid.outputs, SESSION)
            back = await client.pay_settle(paid.id, took.change)
            seen.append((number, paid.total_sat, paid.fee_sat, took.received_sat, back))
        again, other = used[0], bytes(32)
        seen.append(await outcome("again", ghost.redeem(url, again[0], 1, again[1], other)))
        seen.append(await outcome("stolen", _redeem(ghost, url, used[1][0][:1], other)))
        slot = await client.refund_outputs(url, 9)
        change = await ghost.refund(url, 9, slot.outputs, SESSION)
        seen.append(("refund", await client.refund_settle(slot.id, change)))
        token = await client.send(url, 21)
        seen.append(await outcome("receive", ghost.receive(token)))
        seen.append(await outcome("receive again", client.receive(token)))
        lock = lock_to_keys([await ghost.lock_key()])
        locked = await client.send(url, 5, lock=lock)
        seen.append(await outcome("locked", client.receive(locked)))
        seen.append(await outcome("unlocked", ghost.receive(locked)))
        unspent = await client.pay_prepare(url, 6)
        seen.append(("unspent", (await client.pay_resolve(unspent.id)).state))
        for wallet in (client, ghost):
            report = await wallet.restore(url)
            seen.append((report.recovered_sat, report.recovered_proofs))
            seen += [(row.available_sat, row.reserved_sat) for row in await wallet.balances()]
    return seen


async def _redeem(wallet: Wallet, url: str, proofs: list[Proof], session: bytes) -> object:
    return (await wallet.redeem(url, proofs, 1, [], session)).received_sat


async def test_two_wallets_see_no_difference_without_fees(
    tmp_path: Path, real_mint: RealMint
) -> None:
    real = await moves(tmp_path / "real", real_mint.url, None)
    fake = await moves(tmp_path / "fake", URL, FakeMint())
    assert fake == real


async def test_two_wallets_see_no_difference_with_fees(tmp_path: Path, fee_mint: RealMint) -> None:
    real = await moves(tmp_path / "real", fee_mint.url, None)
    fake = await moves(tmp_path / "fake", URL, FakeMint(fee_ppk=100))
    assert fake == real


# -- requests by hand ------------------------------------------------------------------------------


class Hand:
    """Makes outputs and coins without a wallet."""

    def __init__(self, client: MintClient, keyset: Keyset) -> None:
        self.client = client
        self.keyset = keyset
        self.seed = Seed(bytes(range(64)))
        self.counter = 0

    def outputs(self, *amounts: int) -> list[Output]:
        first, self.counter = self.counter, self.counter + len(amounts)
        return [
            self.seed.output(self.keyset.id, first + index, amount)
            for index, amount in enumerate(amounts)
        ]

    def coin(self, output: Output, signature: BlindSignature) -> Proof:
        key = self.keyset.key(signature.amount)
        assert dleq.verify(output.B_, signature.C_, key, signature.e, signature.s)
        secret, r = output.secret, output.r
        return Proof(signature.amount, self.keyset.id, secret, unblind(signature.C_, r, key))

    async def funded(self, *amounts: int) -> list[Proof]:
        quote = await self.client.request_mint(sum(amounts), None)
        outputs = self.outputs(*amounts)
        made = await self.client.mint(quote.quote, messages(outputs), None)
        return [self.coin(*pair) for pair in zip(outputs, made, strict=True)]

    async def swap(self, inputs: list[Proof], outputs: list[BlindedMessage]) -> object:
        return [item.amount for item in await self.client.swap(inputs, outputs)]


def messages(outputs: list[Output]) -> list[BlindedMessage]:
    return [BlindedMessage(output.amount, output.id, output.B_) for output in outputs]


async def by_hand(url: str, transport: httpx.AsyncBaseTransport | None) -> list[Outcome]:
    """Every way to ask wrongly that a wallet or a thief may think of."""
    client = MintClient(url, transport)
    try:
        heads = [head for head in await client.keysets() if head.active and head.unit == "sat"]
        hand = Hand(client, await client.keyset(heads[0]))
        return await _by_hand(hand)
    finally:
        await client.aclose()


async def _by_hand(hand: Hand) -> list[Outcome]:
    a, b, c, d = await hand.funded(8, 4, 2, 16)
    seen: list[Outcome] = []

    async def swap(name: str, inputs: list[Proof], outputs: list[BlindedMessage]) -> None:
        seen.append(await outcome(name, hand.swap(inputs, outputs)))

    await swap("too much", [a], messages(hand.outputs(16)))
    await swap("too little", [a], messages(hand.outputs(4)))
    wrong = replace(b, C=a.C)
    await swap("a wrong signature", [wrong], messages(hand.outputs(4)))
    await swap("another amount", [replace(b, amount=8)], messages(hand.outputs(8)))
    kept = messages(hand.outputs(*split(6)))
    await swap("right", [b, c], kept)
    await swap("the same again", [b, c], kept)
    await swap("spent coins, new outputs", [b, c], messages(hand.outputs(*split(6))))
    await swap("new coins, signed outputs", [a], messages(hand.outputs(4, 2)) + kept[:1])
    states = await hand.client.states([secret_to_y(p.secret) for p in (a, b, d)])
    seen.append(("states", [state.value for state in states]))
    unknown = messages(hand.outputs(64))
    found = await hand.client.restore([*kept, *unknown])
    seen.append(("restored", sorted(item.amount for item in found.values())))
    return seen


async def test_wrong_requests_get_the_same_answers(real_mint: RealMint) -> None:
    real = await by_hand(real_mint.url, None)
    fake = await by_hand(URL, FakeMint())
    assert fake == real
    assert dict(real)["right"] == [2, 4]


async def test_its_proofs_verify_and_others_do_not() -> None:
    """NUT-12, by the checker that the official vectors hold."""
    mint = FakeMint()
    seed = Seed(bytes(64))
    output = seed.output(mint.keys.id, 1, 8)
    k, K = mint.keys.private[8], mint.keys.public[8]
    e, s = prove(output.B_, k)
    assert dleq.verify(output.B_, sign(output.B_, k), K, e, s)
    assert not dleq.verify(output.B_, sign(output.B_, mint.keys.private[4]), K, e, s)
