"""Opening the locks of a token with the keys of the seed: what the ecash rules ask, in our words.

A lock over single inputs is opened at once; one over the whole request (SIG_ALL) only when its
outputs are known, which is inside the transaction that journals them. Asks no mint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from wallet import journal
from wallet.ecash import conditions, sigall
from wallet.ecash.conditions import Lock, NotYetOpen
from wallet.ecash.deterministic import Seed
from wallet.ecash.errors import EcashError
from wallet.ecash.types import Proof
from wallet.errors import TokenInvalid
from wallet.journal import OutputSpec
from wallet.keyring import KeyRing

BACK_MARGIN_S = 120
"""How long after its end a lock to a peer counts as ended: the mint's clock may be late."""
# The proofs with their witnesses, once the outputs of their request are chosen.
Seal = Callable[[Sequence[OutputSpec]], list[Proof]]


def lock_has_ended(until: float, now: float) -> bool:
    """Whether what was locked to a peer is ours again, by the mint's clock too (unix seconds)."""
    return now >= until + BACK_MARGIN_S


class Opener:
    def __init__(self, keys: KeyRing, seed: Seed, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._seed = seed
        self._clock = clock

    async def open(self, proofs: Sequence[Proof], preimage: str) -> Seal:
        """How the proofs are opened. Raises TokenInvalid when they cannot be."""
        locks = locks_of(proofs)
        named = [key for lock in locks if lock for key in (*lock.keys, *lock.refund)]
        keys = await self._keys.find(named)
        try:
            whole = sigall.common_lock(locks)
            if whole is None:
                opened = self._one_by_one(proofs, locks, keys, preimage)
                return lambda _outputs: opened
        except NotYetOpen as exc:
            raise _shut(exc) from exc

        def seal(outputs: Sequence[OutputSpec]) -> list[Proof]:
            messages = [journal.message(spec, self._seed) for spec in outputs]
            try:
                return sigall.open_all(
                    proofs, whole, keys, messages, now=self._clock(), preimage=preimage
                )
            except NotYetOpen as exc:
                raise _shut(exc) from exc

        seal([])  # refused before anything is written down
        return seal

    def _one_by_one(
        self,
        proofs: Sequence[Proof],
        locks: Sequence[Lock | None],
        keys: dict[str, bytes],
        preimage: str,
    ) -> list[Proof]:
        opened: list[Proof] = []
        for proof, lock in zip(proofs, locks, strict=True):
            if lock is None:
                opened.append(replace(proof, witness=""))
                continue
            witness = conditions.open_lock(
                proof.secret,
                lock,
                keys,
                now=self._clock(),
                preimage=preimage,
                witness=_witness(proof),
            )
            opened.append(replace(proof, witness=witness.encode()))
        return opened

    async def cosign(self, proofs: Sequence[Proof]) -> list[Proof]:
        """With our signatures added, for the next signer. Raises TokenInvalid."""
        signed: list[Proof] = []
        for proof, lock in zip(proofs, locks_of(proofs), strict=True):
            if lock is None:
                raise TokenInvalid("The token is not locked.", kept="It was not changed.")
            if lock.sig_all:
                raise TokenInvalid(
                    "The token's lock wants signatures over the whole request (SIG_ALL).",
                    kept="It was not changed.",
                    hint="It can be taken only by a wallet that has all its keys.",
                )
            keys = await self._keys.find((*lock.keys, *lock.refund))
            group = lock.keys if any(key in keys for key in lock.keys) else lock.refund
            if not any(key in keys for key in group):
                raise TokenInvalid("The token is locked to keys that this wallet does not have.")
            more = conditions.add_signatures(proof.secret, keys, _witness(proof), group)
            signed.append(replace(proof, witness=more.encode()))
        return signed


def locks_of(proofs: Sequence[Proof]) -> list[Lock | None]:
    """Raises TokenInvalid for a lock that is not understood."""
    try:
        return [conditions.parse(proof.secret) for proof in proofs]
    except EcashError as exc:
        raise TokenInvalid(f"This token cannot be taken: {exc}.") from exc


def _witness(proof: Proof) -> conditions.Witness:
    """What others have signed; what is malformed counts for nothing."""
    try:
        return conditions.parse_witness(proof.witness)
    except EcashError:
        return conditions.Witness()


def _shut(exc: NotYetOpen) -> TokenInvalid:
    return TokenInvalid(
        f"The token cannot be taken: {exc}.",
        kept="It was not changed.",
        hint="Ask whoever made it for another one, or wait for its lock time.",
    )
