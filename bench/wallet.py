"""What the wallet's own work costs: blind signatures, a store of 10,000 coins, opening the store.

    python -m bench.wallet [--json]

Three figures: blind, unblind and DLEQ of 64 coins beside the bare cost of the curve operations
they need (coincurve) and beside Nutshell's own wallet code (when the mint's environment is there);
balance and selection over 10,000 coins; opening a store beside Argon2id alone. No network is used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import trio
from coincurve import PrivateKey, PublicKey
from nacl import pwhash

from tests.helpers.mint import REPOSITORY
from tests.wallet.fake_mint import prove
from tests.wallet.fake_mint import sign as mint_sign
from wallet.ecash import amounts, dleq
from wallet.ecash.amounts import Heap
from wallet.ecash.curve import unblind
from wallet.ecash.deterministic import Output, Seed
from wallet.ecash.types import BlindSignature, Proof
from wallet.prepare import pick
from wallet.store import KdfCost, KeyFile, Passphrase, Store, Transaction

COINS, STORED, ROUNDS = 64, 10_000, 5
KEYSET = "01" + "ab" * 32
MINT = "https://mint.example"
NUTSHELL = """
import json, statistics, sys, time
from cashu.core.crypto import b_dhke
from cashu.core.crypto.secp import PrivateKey, PublicKey
count, rounds = int(sys.argv[1]), int(sys.argv[2])
k = PrivateKey()
K = k.public_key
took = []
for _ in range(rounds):
    secrets = [f"secret {n}" for n in range(count)]
    start = time.process_time()
    blinded = [b_dhke.step1_alice(s) for s in secrets]
    mine = time.process_time() - start
    signed = [b_dhke.step2_bob(B_, k) for B_, _ in blinded]
    start = time.process_time()
    for (B_, r), (C_, e, s) in zip(blinded, signed):
        assert b_dhke.alice_verify_dleq(B_, C_, e, s, K)
        b_dhke.step3_alice(C_, r, K)
    took.append((mine + time.process_time() - start) * 1000)
print(json.dumps(statistics.median(took)))
"""


@dataclass(frozen=True)
class Figures:
    """Processor times in ms. `nutshell_ms` is None without the mint's environment."""

    crypto_64_ms: float
    coincurve_64_ms: float
    nutshell_64_ms: float | None
    balance_ms: float
    select_ms: float
    open_ms: float
    argon2id_ms: float

    @property
    def ratio_to_coincurve(self) -> float:
        """Ours over the bare curve operations."""
        return self.crypto_64_ms / self.coincurve_64_ms

    @property
    def ratio_to_nutshell(self) -> float | None:
        """Ours over Nutshell's, which does not derive its secrets in this figure."""
        return None if self.nutshell_64_ms is None else self.crypto_64_ms / self.nutshell_64_ms


def median_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median processor time of some runs: what else the machine does must not show."""
    took = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        took.append((time.process_time() - started) * 1000)
    return statistics.median(took)


def crypto(count: int, rounds: int) -> float:
    """Derive and blind, verify the DLEQ, unblind: what one swap costs the wallet; ms."""
    seed, k = Seed(bytes(range(64))), hashlib.sha256(b"k").digest()
    K = PrivateKey(k).public_key.format()
    signed: list[BlindSignature] = []

    def blind() -> list[Output]:
        return [seed.output(KEYSET, counter, 1) for counter in range(count)]

    def finish(outputs: Sequence[Output]) -> None:
        for output, signature in zip(outputs, signed, strict=True):
            if not dleq.verify(output.B_, signature.C_, K, signature.e, signature.s):
                raise SystemExit("a signature of our own is wrong")
            unblind(signature.C_, output.r, K)

    outputs = blind()
    for output in outputs:
        e, s = prove(output.B_, k)
        signed.append(BlindSignature(1, KEYSET, mint_sign(output.B_, k), e, s))
    return median_ms(blind, rounds) + median_ms(lambda: finish(outputs), rounds)


def coincurve_alone(count: int, rounds: int) -> float:
    """The curve operations of the same work and nothing else; ms.

    Per coin: rG, Y + rG; sG, eK, sB_, eC_, two sums; rK, C_ - rK; and reading the points.
    """
    scalar = hashlib.sha256(b"scalar").digest()
    point = PrivateKey(scalar).public_key
    other = PublicKey.from_secret(hashlib.sha256(b"other").digest())
    raw = point.format()

    def work() -> None:
        for _ in range(count):
            for _ in range(2):
                PublicKey.from_secret(scalar)
            for _ in range(4):
                point.multiply(scalar)
            for _ in range(4):
                PublicKey.combine_keys([point, other])
            for _ in range(6):
                PublicKey(raw)

    return median_ms(work, rounds)


def nutshell(count: int, rounds: int) -> float | None:
    """The same by Nutshell's code in its own environment; ms, None when it is not there."""
    python = REPOSITORY / ".venv-mint" / "bin" / "python"
    if not python.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:  # it reads .env where it runs
        done = subprocess.run(
            [str(python), "-c", NUTSHELL, str(count), str(rounds)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    return float(done.stdout) if done.returncode == 0 else None


async def stored(folder: Path, count: int, rounds: int) -> tuple[float, float]:
    """(balance, selection) over `count` coins in the store; ms."""
    key = KeyFile(folder / "key", create=True)
    async with await Store.open(folder / "coins.db", key, create=True) as store:
        coins = [
            Proof(1 << (n % 12), KEYSET, secrets.token_hex(32), b"\x02" + secrets.token_bytes(32))
            for n in range(count)
        ]
        await store.run(lambda tx: tx.proofs.add(MINT, coins))

        async def timed(work: Callable[[], object]) -> float:
            return await trio.to_thread.run_sync(median_ms, work, rounds)

        def balance() -> object:
            return store._transact(lambda tx: tx.proofs.sums())

        def select() -> object:
            return store._transact(_select)

        return await timed(balance), await timed(select)


def _select(tx: Transaction) -> list[Proof]:
    heaps = [Heap(amount, name, count, 100) for amount, name, count in tx.proofs.heaps(MINT)]
    return pick(tx, MINT, amounts.select_heaps(heaps, 12_345) or [])


async def opening(folder: Path) -> tuple[float, float]:
    """(opening a store by passphrase, Argon2id alone); ms."""
    path, secret = folder / "open.db", Passphrase("correct horse", KdfCost.MODERATE)
    await (await Store.open(path, secret, create=True)).aclose()
    started = time.process_time()
    store = await Store.open(path, secret)
    took = (time.process_time() - started) * 1000
    await store.aclose()
    passes, memory = KdfCost.MODERATE.value
    salt = bytes(pwhash.argon2id.SALTBYTES)
    alone = median_ms(lambda: pwhash.argon2id.kdf(32, b"correct horse", salt, passes, memory), 1)
    return took, alone


def measure(coins: int = COINS, count: int = STORED, rounds: int = ROUNDS) -> Figures:
    """All figures; smaller numbers are for tests."""
    with tempfile.TemporaryDirectory(prefix="p2p-bench-") as name:
        folder = Path(name)
        balance, select = trio.run(stored, folder, count, rounds)
        open_ms, argon2id_ms = trio.run(opening, folder)
    return Figures(
        crypto(coins, rounds),
        coincurve_alone(coins, rounds),
        nutshell(coins, rounds),
        balance,
        select,
        open_ms,
        argon2id_ms,
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.wallet", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    figures = measure()
    found = {
        **asdict(figures),
        "ratio_to_coincurve": figures.ratio_to_coincurve,
        "ratio_to_nutshell": figures.ratio_to_nutshell,
    }
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:20} {'-' if value is None else f'{value:.2f}'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
