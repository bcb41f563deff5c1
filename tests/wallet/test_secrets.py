"""Nothing secret is told: a full life of three wallets, then a search through all it left."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.helpers import wallet_talk
from tests.helpers.mint import REPOSITORY, RealMint
from tests.helpers.processes import processes_of
from tests.helpers.traces import files_in, of_process, of_seed, told
from wallet.store import KeyFile, Store


async def secrets_of(folder: Path, name: str) -> list[bytes]:
    """Everything in a store that nobody else may know, and what its seed makes of it."""
    key = KeyFile(folder / f"{name}.key")
    found = [(folder / f"{name}.key").read_bytes().strip()]
    async with await Store.open(folder / f"{name}.db", key) as store:
        words = await store.get_secret("wallet", "words") or b""
        counters = await store.run(lambda tx: tx.rows("SELECT keyset_id, next FROM counters"))
        proofs = await store.run(lambda tx: tx.rows("SELECT secret, signature FROM proofs"))
        keys = await store.run(lambda tx: tx.rows("SELECT private_key FROM mint_quotes"))
        kept = await store.run(lambda tx: tx.rows("SELECT value FROM secrets"))
        tokens = await store.run(lambda tx: tx.rows("SELECT result FROM operations"))
    found += of_seed(words, dict(counters))
    for secret, signature in proofs:
        found += [secret.encode(), bytes(signature)]
    found += [bytes(row[0]) for row in [*keys, *kept] if row[0]]
    for (result,) in tokens:
        _, cut, token = (result or "").partition("cashuB")
        found += [token[:200].encode()] if cut else []
    assert len(found) > 30
    return found


def test_forms_are_found_in_what_programs_write() -> None:
    """The search can fail: every form is found in a text that holds it."""
    secret = bytes(range(200, 232))
    token = base64.urlsafe_b64encode(b"abcd" + secret + b"rest")
    written = [secret, secret.hex().encode(), repr([secret]).encode(), token, b"log: " + token]
    for text in written:
        assert told([secret], {"there": text}), text
    assert not told([secret], {"there": base64.b64encode(bytes(300))})


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_secret_in_logs_errors_arguments_environment_or_files(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint
) -> None:
    """Searched for: proof secrets, blinding factors, seed, words, lock and quote keys, store keys,
    tokens and the prompt; in the most talkative logs, the reprs and tracebacks, the process while
    it lives and every file it made."""
    temporary, home = tmp_path / "tmp", tmp_path / "home"
    temporary.mkdir()
    home.mkdir()
    errors = (tmp_path / "stderr").open("wb")
    with (
        errors,
        subprocess.Popen(
            [sys.executable, "-m", wallet_talk.__name__, str(home), real_mint.url, fee_mint.url],
            cwd=home,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(REPOSITORY),
                "TMPDIR": str(temporary),
                "HOME": str(home),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == b"ready\n", (tmp_path / "stderr").read_text()[-3000:]
        places = files_in(tmp_path)  # journals and temporary files are here while it lives
        for pid in processes_of(tmp_path):
            places |= of_process(pid)
        assert f"cmdline of {process.pid}" in places
        process.stdin.close()
        places["stdout"] = process.stdout.read()
        assert process.wait() == 0
    needles = [wallet_talk.PROMPT.encode(), b"quuxpromptmark"]
    for name in wallet_talk.NAMES:
        needles += trio.run(secrets_of, home, name)
    places |= {f"{path} at the end": text for path, text in files_in(tmp_path).items()}
    log = places[str(tmp_path / "stderr")]
    assert b"Traceback" in log
    assert b"httpcore" in log
    assert told(needles, places) == []
