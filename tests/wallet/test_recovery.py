"""What a restart does with each kind of operation left at each point, and with a mint that has not
decided. The mint is in memory, so its state can be set to the moment in question."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wallet.fake_mint import URL, FakeMint, Refused, an_invoice
from tests.wallet.support import (
    SESSION,
    available,
    fake_wallet,
    fund,
    not_available,
    open_store,
)
from wallet import journal
from wallet.ecash.curve import hash_to_curve, secret_to_y
from wallet.ecash.types import BlindSignature
from wallet.errors import (
    MintBusy,
    MintError,
    MintUnreachable,
    PaymentInvalid,
    QuoteNotPaid,
    UnknownOperation,
    WalletError,
)
from wallet.journal import State
from wallet.store import Store
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]


@pytest.fixture(autouse=True)
def large_coins(monkeypatch: pytest.MonkeyPatch) -> None:
    """No small coins, so that sending and paying always needs the mint or change."""
    monkeypatch.setattr("wallet.ecash.amounts.WANTED_EACH", 0)


async def ghost_of(folder: Path, mint: FakeMint) -> tuple[Wallet, Store]:
    store = await open_store(folder, "ghost")
    ghost = Wallet(store, lambda _url: mint)
    await ghost.open()
    await ghost.add_mint(URL)
    return ghost, store


@pytest.mark.parametrize("lost", ["lose_request", "lose_answer"])
async def test_a_send_cut_by_the_end_of_the_process(
    tmp_path: Path, fake_mint: FakeMint, lost: str
) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        fake_mint.faults = lambda path: lost if path == "/v1/swap" else _down(path)
        with pytest.raises(MintUnreachable):
            await alice.send(URL, 10)
        assert (await available(alice), await not_available(alice)) == (0, 64)
    fake_mint.faults = lambda _path: ""
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        (note,) = await alice.recover()
        assert (note.kind, note.outcome) == ("send", "completed")
        (sent,) = await alice.sent_tokens()
        assert await available(alice) == 54
        assert await alice.receive(sent.token) == 10


def _down(path: str) -> str:
    return "lose_request" if path in ("/v1/restore", "/v1/checkstate") else ""


async def test_prepared_means_never_sent(tmp_path: Path, fake_mint: FakeMint) -> None:
    """Killed between the journal and the request: undone, the counters stay used."""
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        prepare = alice._handover._prepare_send
        await alice._store.run(lambda tx: prepare(tx, URL, 10, "", None))
        assert await available(alice) == 0
        before = len(fake_mint.asked)
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        (note,) = await alice.recover()
        assert note.outcome == "released"
        assert await available(alice) == 64
        assert "/v1/swap" not in fake_mint.asked[before:]
        token = await alice.send(URL, 10)
        assert await alice.receive(token) == 10


async def test_inputs_held_by_the_mint_are_not_given_back(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        payment = await alice.pay_prepare(URL, 10)
        ys = {secret_to_y(proof.secret).hex() for proof in payment.proofs}
        fake_mint.pending |= ys
        with pytest.raises(MintBusy) as caught:
            await alice.pay_resolve(payment.id)
        assert "held" in caught.value.kept
        (balance,) = await alice.balances()
        assert (balance.available_sat, balance.held_sat) == (0, 64)
        (note,) = await alice.recover()
        assert note.outcome == "held"
        fake_mint.pending -= ys
        (note,) = await alice.recover()
        assert note.outcome == "reclaimed"
        assert await available(alice) == 64


@pytest.mark.parametrize("paid", [True, False])
async def test_a_pending_payment_is_decided_later(
    tmp_path: Path, fake_mint: FakeMint, paid: bool
) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        fake_mint.melt_state = "PENDING"
        quote = await alice.melt_quote(URL, an_invoice(20))
        result = await alice.melt(quote.quote_id)
        assert (result.paid, result.state) == (False, "PENDING")
        (balance,) = await alice.balances()
        assert (balance.available_sat, balance.held_sat) == (0, 64)
        assert (await alice.recover())[0].outcome == "held"
    fake_mint.decide(quote.quote_id, paid)
    fake_mint.melt_state = "PAID"
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        (note,) = await alice.recover()
        assert note.outcome == ("completed" if paid else "failed")
        assert await available(alice) == (64 - 20 - 1 if paid else 64)
        assert fake_mint.outstanding == await available(alice)
        assert (await alice.melt(quote.quote_id)).fee_sat == 1  # a failed one may be tried again


async def test_a_failed_payment_gives_everything_back(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        fake_mint.melt_state = "UNPAID"
        quote = await alice.melt_quote(URL, an_invoice(20))
        with pytest.raises(MintError) as caught:
            await alice.melt(quote.quote_id)
        assert caught.value.mint_code == 20004
        assert (await available(alice), await not_available(alice)) == (64, 0)
        fake_mint.melt_state = "PAID"
        assert (await alice.melt(quote.quote_id)).paid


async def test_payments_left_open_are_ended_at_the_next_start(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    ghost, store = await ghost_of(tmp_path, fake_mint)
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        for _ in range(3):
            await fund(alice, URL, 64)
        taken = await alice.pay_prepare(URL, 10)
        exact = await alice.pay_prepare(URL, 64)
        unseen = await alice.pay_prepare(URL, 7)
        await ghost.redeem(URL, taken.proofs, 10, taken.outputs, SESSION)
        await ghost.redeem(URL, exact.proofs, 64, exact.outputs, SESSION)
        assert await alice.recover() == []  # in the hands of this run
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        notes = {note.op_id: note.outcome for note in await alice.recover()}
        assert notes == {taken.id: "completed", exact.id: "completed", unseen.id: "reclaimed"}
        assert await available(alice) == 54 + 64
        assert await not_available(alice) == 0
        assert await alice.recover() == []
    assert await available(ghost) == 74
    assert fake_mint.outstanding == 192
    await ghost.aclose()
    await store.aclose()


async def test_the_ghost_is_faster_than_the_reclaim(tmp_path: Path, fake_mint: FakeMint) -> None:
    """Between our look (unspent) and our swap the ghost swaps: its change is found."""
    ghost, store = await ghost_of(tmp_path, fake_mint)
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        payment = await alice.pay_prepare(URL, 10)
        raced: list[list[BlindSignature]] = []
        body = {
            "inputs": [
                {"amount": p.amount, "id": p.id, "secret": p.secret, "C": p.C.hex()}
                for p in payment.proofs
            ],
            "outputs": _ghost_outputs(fake_mint, payment.outputs),
        }

        def overtake(path: str) -> None:
            if path == "/v1/swap" and not raced:
                raced.append([])
                fake_mint._swap(body)

        fake_mint.before = overtake
        outcome = await alice.pay_resolve(payment.id)
        assert (outcome.state, outcome.returned_sat) == ("reclaimed", 54)
        assert (await available(alice), await not_available(alice)) == (54, 0)
    await ghost.aclose()
    await store.aclose()


def _ghost_outputs(mint: FakeMint, blanks: list[bytes]) -> list[dict[str, object]]:
    """54 of change on the blanks, 10 for somebody."""
    keep = [(2, hash_to_curve(b"g1").format()), (8, hash_to_curve(b"g2").format())]
    change = list(zip([2, 4, 16, 32], blanks, strict=False))
    return [{"amount": amount, "id": mint.keys.id, "B_": B_.hex()} for amount, B_ in keep + change]


async def test_a_reclaim_that_is_cut_is_made_once(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        payment = await alice.pay_prepare(URL, 10)
        fake_mint.faults = lambda path: "lose_answer" if path == "/v1/swap" else ""
        # After the swap's answer is lost, nothing answers any more.
        fake_mint.before = lambda path: setattr(fake_mint, "down", path == "/v1/swap")
        with pytest.raises(MintUnreachable):
            await alice.pay_resolve(payment.id)
        fake_mint.down, fake_mint.before, fake_mint.faults = False, None, lambda _path: ""
        notes = await alice.recover()
        assert [(note.kind, note.outcome) for note in notes] == [("reclaim", "completed")]
        assert (await alice.pay_resolve(payment.id)).returned_sat == 64
        assert (await available(alice), await not_available(alice)) == (64, 0)


async def test_a_retired_keyset_is_noticed(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        fake_mint.rotate()
        token = await alice.send(URL, 10)
        assert await alice.receive(token) == 10
        assert await available(alice) == 64
        assert alice._mints.active(URL).id == fake_mint.keys.id


async def test_change_signed_with_a_newer_keyset_is_kept(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    """The ghost learned of new keys first. Its signatures on our blanks are as good."""
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        payment = await alice.pay_prepare(URL, 10)
        fake_mint.rotate()
        ghost, store = await ghost_of(tmp_path, fake_mint)
        with pytest.raises(PaymentInvalid):
            await ghost.redeem(URL, payment.proofs, 10, payment.outputs, SESSION, payment.keyset_id)
        redeemed = await ghost.redeem(URL, payment.proofs, 10, payment.outputs, SESSION)
        assert await alice.pay_settle(payment.id, redeemed.change) == 54
        token = await alice.send(URL, 54)
        assert await ghost.receive(token) == 54
        await ghost.aclose()
        await store.aclose()


async def test_an_unpaid_invoice(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        quote = await alice.request_mint(URL, 20)
        fake_mint.quotes[quote.quote_id]["state"] = "UNPAID"
        assert (await alice.check_mint(quote.quote_id)).state == "UNPAID"
        with pytest.raises(QuoteNotPaid):
            await alice.complete_mint(quote.quote_id)
        assert await alice.open_operations() == 0
        fake_mint.quotes[quote.quote_id]["state"] = "PAID"
        assert await alice.complete_mint(quote.quote_id) == 20


async def test_an_invoice_issued_to_somebody_else(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        quote = await alice.request_mint(URL, 20)
        fake_mint.quotes[quote.quote_id]["state"] = "ISSUED"
        with pytest.raises(MintError) as caught:
            await alice.complete_mint(quote.quote_id)
        assert caught.value.mint_code == 20002
        assert await alice.open_operations() == 0


async def test_ecash_spent_on_another_device(tmp_path: Path, fake_mint: FakeMint) -> None:
    """The store says ours, the mint says spent: the rest is available again, nothing loops."""
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        await fund(alice, URL, 64)
        await fund(alice, URL, 32)
        payment = await alice.pay_prepare(URL, 40)
        gone = payment.proofs[0]
        await alice.pay_abort(payment.id)
        fake_mint.spent.add(secret_to_y(gone.secret).hex())
        with pytest.raises(MintError) as caught:
            await alice.send(URL, 70)
        assert caught.value.mint_code == 11001
        assert (await available(alice), await not_available(alice)) == (32, 0)


async def test_only_a_part_of_a_payment_was_taken(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        await fund(alice, URL, 64)
        await fund(alice, URL, 32)
        payment = await alice.pay_prepare(URL, 90)
        taken = payment.proofs[-1]
        fake_mint.spent.add(secret_to_y(taken.secret).hex())
        outcome = await alice.pay_resolve(payment.id)
        assert outcome.state == "reclaimed"
        assert await available(alice) == 96 - taken.amount


async def test_dust_that_is_worth_less_than_its_fee(tmp_path: Path) -> None:
    mint = FakeMint(fee_ppk=1000)
    async with fake_wallet(tmp_path, "a", mint) as alice:
        await fund(alice, URL, 1)
        with pytest.raises(WalletError):
            await alice.pay_prepare(URL, 1)
        await fund(alice, URL, 2)
        payment = await alice.pay_prepare(URL, 1)
        assert payment.total_sat == 2
        outcome = await alice.pay_resolve(payment.id)
        assert outcome.state == "reclaimed"
        assert await not_available(alice) == 0


async def test_a_redeem_left_open_gives_credit_at_the_next_start(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    ghost, store = await ghost_of(tmp_path, fake_mint)
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        payment = await alice.pay_prepare(URL, 10)
        fake_mint.faults = lambda path: "lose_answer" if path == "/v1/swap" else _down(path)
        with pytest.raises(MintUnreachable):
            await ghost.redeem(URL, payment.proofs, 10, payment.outputs, SESSION)
        await ghost.aclose()
        await store.aclose()
        fake_mint.faults = lambda _path: ""
        async with fake_wallet(tmp_path, "ghost", fake_mint) as again:
            (note,) = await again.recover()
            assert (note.kind, note.outcome) == ("redeem", "completed")
            assert await again._store.credits.get(SESSION) == 10_000
            redeemed = await again.redeem(URL, payment.proofs, 10, payment.outputs, SESSION)
            assert await again._store.credits.get(SESSION) == 10_000
            assert await alice.pay_settle(payment.id, redeemed.change) == 54


async def test_a_refund_that_is_refused_returns_the_credit(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with fake_wallet(tmp_path, "g", fake_mint, 64) as ghost:
        await ghost._store.credits.add(SESSION, 20_000)
        fake_mint.rotate()  # its keyset is not known yet: the mint refuses the outputs
        blanks = [bytes.fromhex("02") + bytes(31) + b"\x01"]
        with pytest.raises(MintError):
            await ghost.refund(URL, 16, blanks, SESSION)
        assert await ghost._store.credits.get(SESSION) == 20_000
        assert (await available(ghost), await not_available(ghost)) == (64, 0)


async def test_a_refund_from_spent_ecash_returns_the_credit_once(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with fake_wallet(tmp_path, "g", fake_mint, 64) as ghost:
        await ghost._store.credits.add(SESSION, 20_000)
        payment = await ghost.pay_prepare(URL, 1)
        await ghost.pay_abort(payment.id)
        fake_mint.spent |= {secret_to_y(proof.secret).hex() for proof in payment.proofs}
        blanks = [hash_to_curve(b"blank").format()]
        with pytest.raises(MintError):
            await ghost.refund(URL, 16, blanks, SESSION)
        assert await ghost._store.credits.get(SESSION) == 20_000
        assert (await available(ghost), await not_available(ghost)) == (0, 0)


async def test_a_look_that_is_refused_in_passing_is_repeated(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        locked = iter(["/v1/restore"])

        def stumble(path: str) -> None:
            if path == next(locked, None):
                raise Refused(0, "database is locked")

        faults = iter(["lose_answer"])
        fake_mint.faults = lambda path: next(faults, "") if path == "/v1/swap" else ""
        fake_mint.before = lambda path: stumble(path) if path == "/v1/restore" else None
        token = await alice.send(URL, 10)
        assert await alice.receive(token) == 10


async def test_an_old_unused_slot_is_closed(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        slot = await alice.refund_outputs(URL, 10)
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        assert (await alice.recover())[0].outcome == "waiting"
        clock = alice._store.clock
        alice._store.clock = lambda: clock() + 15 * 86_400
        assert (await alice.recover())[0].outcome == "released"
        with pytest.raises(UnknownOperation):
            await alice.refund_resolve(slot.id)


async def test_a_mint_that_is_down_is_asked_once_a_round(
    tmp_path: Path, fake_mint: FakeMint
) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        for _ in range(3):
            await fund(alice, URL, 8)
            await alice.pay_prepare(URL, 8)
    async with fake_wallet(tmp_path, "a", fake_mint) as alice:
        fake_mint.down = True
        before = len(fake_mint.asked)
        notes = await alice.recover()
        assert [note.outcome for note in notes] == ["waiting"] * 3
        assert len(fake_mint.asked) - before <= 4
        fake_mint.down = False
        assert [note.outcome for note in await alice.recover()] == ["reclaimed"] * 3
        assert await available(alice) == 24


async def test_the_journal_shows_no_secrets(tmp_path: Path, fake_mint: FakeMint) -> None:
    async with fake_wallet(tmp_path, "a", fake_mint, 64) as alice:
        payment = await alice.pay_prepare(URL, 10)
        row = await alice._store.run(lambda tx: tx.operations.get(payment.id))
        assert row is not None
        op = journal.from_row(row)
        assert op.state is State.EXECUTING
        shown = f"{row!r} {op!r} {op.body!r} {op.body.inputs!r}"
        assert payment.proofs[0].secret not in shown
