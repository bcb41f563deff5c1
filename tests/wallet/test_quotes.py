"""Names of invoices and payments are chosen by mints, secrets of coins by whoever makes them: two
mints may have the same, and one may choose a name twice."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.wallet.fake_mint import URL, FakeMint, Json, Keys, an_invoice, sign_secret
from tests.wallet.support import a_wallet, available, fake_wallet
from wallet.ecash import conditions, tokens
from wallet.errors import MintLied, TokenInvalid, UnknownOperation
from wallet.store import KeyFile, Store, schema
from wallet.store.core import schema as used

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]
ONE, TWO = "http://one.test", "http://two.test"


class Two(httpx.AsyncBaseTransport):
    """Two mints that count their quotes alike."""

    def __init__(self) -> None:
        self.mints = {"one.test": FakeMint(), "two.test": FakeMint()}
        self.mints["two.test"].keysets = [Keys("other")]

    def copy(self, token: str) -> str:
        """The first one's ecash made again by the second one, secrets and all."""
        keys = self.mints["two.test"].keys
        read = tokens.decode(token)
        copied = [
            replace(p, id=keys.id, C=sign_secret(p.secret, keys.private[p.amount]))
            for p in read.proofs
        ]
        return tokens.encode_v4(replace(read, mint=TWO, proofs=tuple(copied)))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.mints[request.url.host].handle_async_request(request)


async def test_two_mints_give_the_same_name(tmp_path: Path) -> None:
    both = Two()
    async with a_wallet(tmp_path, "a", ONE, TWO, transport=both) as alice:
        first, second = await alice.request_mint(ONE, 20), await alice.request_mint(TWO, 30)
        assert first.quote_id == second.quote_id
        with pytest.raises(UnknownOperation, match="Several mints"):
            await alice.check_mint(first.quote_id)
        assert (await alice.check_mint(first.quote_id, TWO)).amount_sat == 30
        assert await alice.complete_mint(second.quote_id, TWO) == 30
        assert await alice.collect() == 20
        assert await available(alice) == 50

        pay = [await alice.melt_quote(url, an_invoice(9)) for url in (ONE, TWO)]
        assert pay[0].quote_id == pay[1].quote_id
        with pytest.raises(UnknownOperation, match="Several mints"):
            await alice.melt(pay[0].quote_id)
        for quote in pay:
            assert (await alice.melt(quote.quote_id, quote.mint)).paid
        assert [mint.redeemed for mint in both.mints.values()] == [10, 10]
        assert await available(alice) == sum(m.outstanding for m in both.mints.values()) == 30


async def test_two_mints_sign_the_same_secrets(tmp_path: Path) -> None:
    """Somebody has seen a token locked to us, cannot take it, and locks coins of a mint of his own
    with the same secrets: neither the token nor what is known of it may be lost by that."""
    both = Two()
    async with (
        a_wallet(tmp_path, "a", ONE, transport=both, fund_sat=100) as alice,
        a_wallet(tmp_path, "b", ONE, TWO, transport=both) as bob,
    ):
        lock = conditions.lock_to_keys([await bob.lock_key()])
        honest = await alice.send(ONE, 21, lock=lock)
        assert await bob.receive(both.copy(honest)) == 21
        assert await bob.receive(honest) == 21
        with pytest.raises(TokenInvalid, match="before"):
            await bob.receive(honest)
        assert [row.available_sat for row in await bob.balances()] == [21, 21]


async def test_a_token_that_is_out_is_not_struck_out_by_another_mint(tmp_path: Path) -> None:
    both = Two()
    async with a_wallet(tmp_path, "a", ONE, TWO, transport=both, fund_sat=100) as alice:
        assert await alice.receive(both.copy(await alice.send(ONE, 21))) == 21
        (sent,) = await alice.sent_tokens()
        assert (sent.state, sent.left_sat) == ("waiting", 21)
        assert await alice.sent.take_back(sent.op_id) == 21
        assert [row.available_sat for row in await alice.balances()] == [100, 21]


async def test_a_mint_gives_one_name_twice(tmp_path: Path, fake_mint: FakeMint) -> None:
    """The invoice that somebody may be paying keeps its key."""

    def again(path: str, answer: Json) -> Json:
        if path.endswith("/quote/bolt11"):
            answer["quote"] = "same"
        return answer

    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        fake_mint.tamper = again
        quote = await alice.request_mint(URL, 20)
        with pytest.raises(MintLied, match="one name"):
            await alice.request_mint(URL, 30)
        fake_mint.quotes[quote.quote_id] = {**fake_mint.quotes["q0"]}
        assert (await alice.check_mint(quote.quote_id)).amount_sat == 20
        await alice.melt_quote(URL, an_invoice(9))
        await alice.melt_quote(URL, an_invoice(9))  # the same payment: the same answer is no lie
        with pytest.raises(MintLied, match="one name"):
            await alice.melt_quote(URL, an_invoice(8))


async def test_what_an_older_store_has_under_way_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment named in the old way is known by its new name, so it is not made a second time."""
    path, key = tmp_path / "store.db", KeyFile(tmp_path / "key", create=True)
    before = tuple(step for step in schema.STEPS if step.version < 7)
    with monkeypatch.context() as patch:
        patch.setattr(used, "migrate", partial(schema.migrate, steps=before))
        async with await Store.open(path, key, create=True) as store:
            for kind in ("melt", "mint", "receive"):
                await store.run(
                    lambda tx, kind=kind: tx.operations.add(  # type: ignore[misc]
                        kind, kind, "pending", URL, "{}", f"{kind}:q7"
                    )
                )
            await store.run(
                lambda tx: tx.execute(
                    "INSERT INTO mint_quotes VALUES ('q7', ?, 9, 'lnbc', NULL, x'07', 'PAID', 1)",
                    (URL,),
                )
            )
            await store.run(
                lambda tx: tx.execute(
                    "INSERT INTO melt_quotes VALUES ('q7', ?, 9, 1, 'lnbc', 5, 'UNPAID', 1)",
                    (URL,),
                )
            )
    async with await Store.open(path, key) as store:
        rows = await store.run(lambda tx: tx.operations.open())
        assert {row.op_id: row.dedup for row in rows} == {
            "melt": f"melt:{URL} q7",
            "mint": f"mint:{URL} q7",
            "receive": f"receive:{URL} q7",
        }
        invoice = await store.run(lambda tx: tx.quotes.get_mint(URL, "q7"))
        payment = await store.run(lambda tx: tx.quotes.get_melt(URL, "q7"))
        assert invoice is not None
        assert payment is not None
        assert (invoice.amount, invoice.private_key, invoice.state) == (9, b"\x07", "PAID")
        assert (payment.fee_reserve, payment.expiry, payment.state) == (1, 5, "UNPAID")
