"""A whole network that was paid and asked: nothing secret is in what anybody can look at."""

from __future__ import annotations

import json
import subprocess
import urllib.request

from tests.e2e.demo_process import COMMAND, ScreenDemo, environment, everyone, short_folder
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
        timeout=90,
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
