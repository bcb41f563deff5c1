"""Getting the ecash back from the seed words alone (NUT-09, NUT-13).

Walks the counters of every keyset of a mint, old ones too, and stores what the mint has signed and
not yet seen again. Proofs this store already knows (also those inside sent tokens) stay as they
are.

Counters are used up by requests that a mint refuses, too, so a mint that was out of order for a
while, or means harm, leaves a gap before what it signs next. NUT-13 ends the walk after three
hundred unsigned ones; ours goes on in larger steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from wallet.ecash.curve import secret_to_y, unblind
from wallet.ecash.deterministic import Output, Seed
from wallet.ecash.dleq import verify
from wallet.ecash.errors import EcashError
from wallet.ecash.keysets import Keyset
from wallet.ecash.types import BlindedMessage, BlindSignature, Proof, ProofState
from wallet.errors import MintLied, MintProblem
from wallet.mint import MAX_ITEMS
from wallet.mints import MintBook
from wallet.store import Store, Transaction, keeping
from wallet.types import RestoreReport

# NUT-13: batches of 100 counters, and three empty ones are the end.
BATCH, GAP = 100, 300
# Beyond that fewer, larger questions: so many unsigned counters in a row are the end.
FAR_BATCH, FAR_GAP = MAX_ITEMS, 1300


async def restore(url: str, store: Store, seed: Seed, mints: MintBook) -> RestoreReport:
    """Find the ecash of the seed at one mint. Raises a MintProblem, and UntrustedMint."""
    url = mints.require(url)
    await mints.refresh(url)
    value = count = spent = 0
    keysets = mints.keysets(url)
    for keyset in keysets:
        found = await _restore_keyset(url, keyset, store, seed, mints)
        value, count, spent = value + found[0], count + found[1], spent + found[2]

    def note(tx: Transaction) -> None:
        if value:
            tx.history.add("restore", url, value, "restored from the seed words")

    await store.run(note)
    return RestoreReport(url, value, count, spent, len(keysets))


async def restore_all(
    store: Store, seed: Seed, mints: MintBook, progress: Callable[[RestoreReport], None]
) -> list[RestoreReport]:
    """The same at every mint on the list; `progress` is called after each. One that does not answer
    raises MintProblem at the end, after all the others."""
    reports, trouble = [], None
    for url in mints.urls():
        try:
            reports.append(await restore(url, store, seed, mints))
            progress(reports[-1])
        except MintProblem as exc:
            trouble = exc
            progress(RestoreReport(url, trouble=exc.message))
    if trouble is not None:
        raise trouble
    return reports


async def catch_up(store: Store, seed: Seed, mints: MintBook) -> list[RestoreReport]:
    """Bring a store that came out of a backup to what its mints know: what came since, what went.
    Raises MintProblem while one does not answer; the others are done then."""
    reports = []
    for url in sorted(mints.unsure):
        reports.append(await restore(url, store, seed, mints))
        await drop_spent(url, store, mints)
        mints.unsure.discard(url)
    if reports:
        await keeping.settled(store)
    return reports


async def drop_spent(url: str, store: Store, mints: MintBook) -> int:
    """Strike out what the mint has taken meanwhile: a backup does not know of it; sat."""
    available = await store.run(lambda tx: tx.proofs.available(url, resting=True))
    states = await mints.client(url).states([secret_to_y(proof.secret) for proof in available])
    gone = [p for p, s in zip(available, states, strict=True) if s is ProofState.SPENT]
    value = sum(proof.amount for proof in gone)

    def work(tx: Transaction) -> None:
        tx.proofs.delete(url, (proof.secret for proof in gone))
        if gone:
            tx.history.add("spent", url, -value, "spent after the backup was made")

    await store.run(work)
    return value


async def _restore_keyset(
    url: str, keyset: Keyset, store: Store, seed: Seed, mints: MintBook
) -> tuple[int, int, int]:
    """(new value, new proofs, proofs already spent) of one keyset."""
    client = mints.client(url)
    value = count = spent = 0
    start = empty = 0
    while empty < FAR_GAP:
        size = BATCH if empty < GAP else FAR_BATCH
        outputs = await trio.to_thread.run_sync(_derive, seed, keyset.id, start, size)
        signed = await client.restore([BlindedMessage(0, o.id, o.B_) for o in outputs])
        start += size
        empty = 0 if signed else empty + size
        if not signed:
            continue
        proofs = await trio.to_thread.run_sync(_unblind, outputs, signed, keyset)
        states = await client.states([secret_to_y(proof.secret) for proof in proofs])
        # Pending ones are kept: the mint decides later whether they are ours.
        ours = [p for p, s in zip(proofs, states, strict=True) if s is not ProofState.SPENT]
        used = max(o.counter for o in outputs if o.B_ in signed) + 1
        added, fresh = await store.run(lambda tx, o=ours, u=used: _keep(tx, url, keyset.id, o, u))  # type: ignore[misc]
        value, count, spent = value + added, count + fresh, spent + len(proofs) - len(ours)
    return value, count, spent


def _derive(seed: Seed, keyset_id: str, start: int, size: int) -> list[Output]:
    return [seed.output(keyset_id, counter, 0) for counter in range(start, start + size)]


def _unblind(
    outputs: list[Output], signed: Mapping[bytes, BlindSignature], keyset: Keyset
) -> list[Proof]:
    proofs: list[Proof] = []
    for output in outputs:
        signature = signed.get(output.B_)
        if signature is None:
            continue
        try:
            key = keyset.key(signature.amount)
        except EcashError as exc:
            raise MintLied(f"The mint restored a wrong signature: {exc}.") from exc
        if not verify(output.B_, signature.C_, key, signature.e, signature.s):
            raise MintLied("The mint restored a signature that is not right.")
        signature_c = unblind(signature.C_, output.r, key)
        proofs.append(Proof(signature.amount, output.id, output.secret, signature_c))
    return proofs


def _keep(
    tx: Transaction, url: str, keyset_id: str, proofs: list[Proof], used: int
) -> tuple[int, int]:
    fresh = [proof for proof in proofs if not tx.proofs.known(proof.secret)]
    tx.counters.raise_to(keyset_id, used)
    return tx.proofs.add(url, fresh), len(fresh)
