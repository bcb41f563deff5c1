"""Another server behind the ghost: one that chunks oddly, fails at will, and wants a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.demo_process import (
    ScreenDemo,
    everyone,
    fake_provider,
    run_demo,
    short_folder,
    start_demo,
    wait_for_line,
)
from tests.helpers.patience import PATIENCE_S
from tests.helpers.provider_fake import TEXT
from tui.demo.ports import free_port

KEY = "sk-quuxkeymark-0123456789"


def test_odd_servers_give_the_same_answer() -> None:
    """One network: the model that is asked for says how its server behaves."""
    odd = ("one-byte", "odd-chunks", "no-usage")
    with fake_provider("normal") as url, short_folder() as folder:
        demo = ScreenDemo(folder, "--provider-url", url, "--model", ",".join(odd))
        try:
            demo.wait_open()
            for mode in odd:
                result = demo.cli("ask", "Onion?", "--model", mode)
                assert (result["answer"], result["model"]) == (TEXT, mode)
                assert result["tokens_out"] > 0
        finally:
            demo.close()


@pytest.mark.parametrize("mode", ["401", "error-in-stream", "early-close"])
def test_failing_servers_end_in_a_sentence_and_cost_nothing_hidden(mode: str) -> None:
    with fake_provider(mode) as url, short_folder() as folder:
        done = run_demo(
            *(folder, "--ask", "Onion?", "--json", "--model", "fake", "--provider-url", url)
        )
        assert list(folder.iterdir()) == []
    assert done.returncode == 6, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == 6
    assert error["message"].endswith(".")
    assert "Traceback" not in done.stderr


def test_a_provider_that_is_not_there() -> None:
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}/v1"
    with short_folder() as folder:
        unnamed = run_demo(folder, "--ask", "Onion?", "--provider-url", url)
        named = run_demo(folder, "--ask", "Onion?", "--provider-url", url, "--model", "m")
    assert (unnamed.returncode, unnamed.stdout) == (6, "")
    assert "--model" in unnamed.stderr
    assert named.returncode == 6, named.stderr


def test_the_key_is_in_no_file_log_or_command_line() -> None:
    with fake_provider("slow", "--key", KEY) as url, short_folder() as folder:
        home = folder / "home"
        options = ("--ask", "Onion?", "--model", "fake", "--provider-url", url, "--keep")
        process = start_demo(folder, *options, "--home", str(home), PEER2PROMPT_PROVIDER_KEY=KEY)
        with process:
            wait_for_line(folder, "client is ready")
            for pid in everyone(home).values():
                assert KEY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
                assert KEY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
            out, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, (folder / "stderr").read_text()
        assert out.strip() == TEXT
        for path in folder.rglob("*"):
            if path.is_file():
                assert KEY.encode() not in path.read_bytes(), path
