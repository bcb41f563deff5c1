"""A whole network that was paid and asked: nothing secret is in what anybody can look at."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request

from tests.e2e.demo_process import COMMAND, ScreenDemo, environment, everyone, short_folder
from tests.engine.log.test_vocabulary import EVENTS
from tests.helpers.patience import PATIENCE_S
from tests.helpers.traces import files_in, of_process, of_seed, told
from wallet.ecash.tokens import decode

PROMPT = "How deep does a leek grow, quuxpromptmark?"
COUNTERS = 150  # about as many outputs as these moves take


def typed(demo: ScreenDemo, text: str, *words: str) -> dict[str, object]:
    """A command that reads a secret where it belongs: from its standard input."""
    done = subprocess.run(
        [*COMMAND, "--home", str(demo.home / "client"), "--json", *words, "-"],
        env=environment(demo.home),
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def keysets(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/v1/keysets", timeout=10) as answer:
        return [keyset["id"] for keyset in json.load(answer)["keysets"]]


def test_no_secret_in_files_arguments_or_environments() -> None:
    """Searched for: the words, proof secrets and blinding factors of the client, tokens, the
    prompt and the answer; in every process of the network while it lives and in every file. What
    Nutshell itself keeps of spent ecash is in its own folder, which is left out."""
    with short_folder() as folder:
        demo = ScreenDemo(folder)
        try:
            demo.wait_open()
            answer = str(typed(demo, PROMPT, "ask", "--max-tokens", "32")["answer"])
            tokens = [str(demo.cli("wallet", "send", "21")["token"]) for _ in range(2)]
            typed(demo, tokens[0], "wallet", "receive")
            needles = [PROMPT.encode(), b"quuxpromptmark", answer[:40].encode()]
            ids_of_ours = [str(one["session_id"]) for one in demo.cli("sessions", "list")]
            ids = keysets(decode(tokens[0]).mint)
            words = str(demo.cli("wallet", "seed", "--yes")["words"])
            needles += of_seed(words.encode(), dict.fromkeys(ids, COUNTERS))
            for token in tokens:
                needles.append(token[:200].encode())
                needles += [proof.secret.encode() for proof in decode(token).proofs]
            places = files_in(folder)
            for pid in everyone(demo.home).values():
                places |= of_process(pid)
            assert len(places) > 40
        finally:
            demo.press("\x11")
            demo.close()
        places |= {f"{path} at the end": text for path, text in files_in(folder).items()}
    foreign = str(folder / "home" / "mint" / "data")
    found = told(needles, {k: v for k, v in places.items() if not k.startswith(foreign)})
    assert found == []
    logs = {place: text.decode() for place, text in places.items() if "/node.log" in place}
    assert len(logs) > 5
    assert ids_of_ours
    assert [line for text in logs.values() for line in strange(text, ids_of_ours)] == []


LINE = re.compile(
    r"[0-9-]{10}T[0-9:]{8}Z (?:DEBUG|INFO|WARNING|ERROR) [a-z]+ ([a-z_]+)"
    r"((?: [a-z_]+=(?:\"[^\"]*\"|\S+))*)"
)
OTHERS = re.compile(r"[0-9]+\.[0-9]+\.|://|[0-9a-f]{8,}|cashu|sat\b|\bsk-")
"""Addresses, hosts, ids and keys in hex, tokens, amounts, keys of providers."""


def strange(text: str, needles: list[str]) -> list[str]:
    """Lines of a log that are not of the vocabulary, or say more than it may."""
    names = {event.name() for event in EVENTS}
    found = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        bad = match is None or match[1] not in names or OTHERS.search(match[2])
        if bad or any(needle in line for needle in needles):
            found.append(line)
    return found


def test_the_search_of_logs_can_fail() -> None:
    good = "2026-11-21T14:30:07Z INFO node serving roles=client,relay pid=4711\n"
    assert strange(good, []) == []
    for bad in (
        good.replace("serving", "greeting"),
        good.replace("4711", "127.0.0.1"),
        good.replace("4711", "ab12cd34ef"),
        "INFO:httpx:HTTP Request: POST https://mint.example/v1/swap",
        "Traceback (most recent call last):",
    ):
        assert strange(bad, []) == [bad.rstrip("\n")]
    assert strange(good, ["4711"]) == [good.rstrip("\n")]
