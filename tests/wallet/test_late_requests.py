"""A request that the wallet has given up, and that the mint still carries out, at the worst moment.

That moment is between two questions of the look that follows: the first finds nothing yet, the
second finds everything done. Also: a refusal that is true of the repeated request and not of the
first one. In both the ecash must come out whole.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wallet.fake_mint import URL, FakeMint, Refused, an_invoice
from tests.wallet.support import SESSION, available, fake_wallet, fund, not_available
from wallet.errors import MintUnreachable, WalletError
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]
QUESTIONS = ["/v1/checkstate", "/v1/restore"]


def late(mint: FakeMint, path: str, arrives_at: str) -> None:
    """The next request to `path` is late: it arrives just before the next one to `arrives_at`."""
    faults = ["late"]
    mint.faults = lambda asked: faults.pop() if asked == path and faults else ""

    def before(asked: str) -> None:
        if asked.startswith(arrives_at):
            mint.deliver()

    mint.before = before


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet.ecash.amounts.WANTED_EACH", 0)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_swap(tmp_path: Path, fake_mint: FakeMint, question: str) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        late(fake_mint, "/v1/swap", question)
        token = await alice.send(URL, 33)
        assert await available(alice) == 31
        assert await alice.receive(token) == 33
        assert await available(alice) == fake_mint.outstanding == 64


@pytest.mark.parametrize("question", ["/v1/mint/quote/bolt11/", "/v1/restore"])
async def test_mint(tmp_path: Path, fake_mint: FakeMint, question: str) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        late(fake_mint, "/v1/mint/bolt11", question)
        assert await fund(alice, URL, 64) == 64
        assert await available(alice) == fake_mint.outstanding == 64


@pytest.mark.parametrize("question", ["/v1/melt/quote/bolt11/", *QUESTIONS])
async def test_melt(tmp_path: Path, fake_mint: FakeMint, question: str) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        quote = await alice.melt_quote(URL, an_invoice(20))
        late(fake_mint, "/v1/melt/bolt11", question)
        await alice.melt(quote.quote_id)
        await alice.recover()
        assert await available(alice) == fake_mint.outstanding == 43
        assert await not_available(alice) == 0


@pytest.mark.parametrize("question", QUESTIONS)
async def test_pay(tmp_path: Path, fake_mint: FakeMint, question: str) -> None:
    """The ghost's swap of our payment is late, and we ask the mint what became of it."""
    async with (
        fake_wallet(tmp_path, "a", fake_mint, 64) as alice,
        fake_wallet(tmp_path, "g", fake_mint) as ghost,
    ):
        payment = await alice.pay_prepare(URL, 10)
        late(fake_mint, "/v1/swap", "/nowhere")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("wallet.executor.ATTEMPTS", 1)
            with pytest.raises(WalletError):
                await ghost.redeem(URL, payment.proofs, 10, payment.outputs, SESSION)
        late(fake_mint, "/nowhere", question)
        await alice.pay_resolve(payment.id)
        await ghost.recover()
        assert await available(alice) + await available(ghost) == fake_mint.outstanding == 64
        assert (await not_available(alice), await not_available(ghost)) == (0, 0)


async def test_a_refusal_of_the_repeated_melt_is_not_believed(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    """The network repeats our request: the first was carried out, the second is refused with a
    code that sounds final. The wallet must not take the spent ecash for available."""
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        quote = await alice.melt_quote(URL, an_invoice(20))
        repeated: list[str] = []

        def before(path: str) -> None:
            if path == "/v1/melt/bolt11" and not repeated:
                repeated.append(path)
                fake_mint._answer(path, fake_mint.bodies[-1])

        fake_mint.before = before
        result = await alice.melt(quote.quote_id)
        assert (result.paid, result.change_sat) == (True, 43)
        assert await available(alice) == fake_mint.outstanding == 43


async def send_while_the_mint_refuses(alice: Wallet, mint: FakeMint) -> None:
    """The first request is late, and all its repetitions are refused with the code of nothing."""
    faults = ["late"]
    mint.faults = lambda asked: faults.pop() if asked == "/v1/swap" and faults else ""

    def before(path: str) -> None:
        if path == "/v1/swap":
            raise Refused(0, "database is locked")

    mint.before = before
    with pytest.raises(MintUnreachable, match="database is locked"):
        await alice.send(URL, 33)
    mint.before = None


async def test_a_lasting_refusal_frees_nothing_while_a_copy_may_arrive(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    """Freed inputs could be chosen again and then be spent by the copy that arrives."""
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        await send_while_the_mint_refuses(alice, fake_mint)
        assert (await available(alice), await not_available(alice)) == (0, 64)
        fake_mint.deliver()
        (note,) = await alice.recover()
        assert note.outcome == "completed"
        (sent,) = await alice.sent_tokens()
        assert sent.amount_sat == 33
        assert await available(alice) + 33 == fake_mint.outstanding == 64


async def test_it_is_believed_when_no_copy_can_arrive(
    tmp_path: Path, fake_mint: FakeMint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs are not held for ever by a mint that keeps on refusing."""
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        await send_while_the_mint_refuses(alice, fake_mint)

        def before(path: str) -> None:
            if path == "/v1/swap":
                raise Refused(0, "database is locked")

        fake_mint.before = before
        monkeypatch.setattr("wallet.copies.LIFE_S", 0.0)
        (note,) = await alice.recover()
        assert note.outcome == "failed"
        assert (await available(alice), await not_available(alice)) == (64, 0)
