"""One question through the whole system on real parts: nodes, mint, model as processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.demo_process import everyone, run_demo, short_folder
from tests.helpers.processes import processes_of

PROMPT = "What is an onion? Quuxpromptmark."
KEYS = {
    *("answer", "model", "route", "tokens_in", "tokens_out", "quoted_msat", "paid_msat"),
    *("change_msat", "cost_msat", "receipts", "ttft_ms", "total_ms", "cells_up", "cells_down"),
    *("mint", "shape_class"),
}


@dataclass
class Run:
    folder: Path
    home: Path
    stdout: str
    stderr: str
    alive: dict[str, int]

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stdout)
        return found


@pytest.fixture(scope="module")
def first() -> Iterator[Run]:
    """`demo --ask ... --json --keep --home DIR` on a fresh home."""
    with short_folder() as folder:
        home = folder / "home"
        done = run_demo(folder, "--ask", PROMPT, "--json", "--keep", "--home", str(home))
        assert done.returncode == 0, done.stdout + done.stderr
        yield Run(folder, home, done.stdout, done.stderr, everyone(home))


def test_one_json_object_with_all_keys(first: Run) -> None:
    assert first.stdout.count("\n") == 1
    assert set(first.result) >= KEYS


def test_the_model_answered(first: Run) -> None:
    result = first.result
    assert len(result["answer"].split()) > 3
    assert result["model"] == "smollm2-135m-instruct"
    assert result["tokens_in"] > 5
    assert result["tokens_out"] > 3


def test_the_route_is_three_relays_and_a_ghost(first: Run) -> None:
    route = first.result["route"]
    assert len(route) == 4
    assert len({hop["id"] for hop in route}) == 4
    assert route[-1]["role"] == "ghost"
    assert all(set(hop) == {"role", "id"} for hop in route)
    assert "127." not in json.dumps(route)


def test_the_account_adds_up(first: Run) -> None:
    result = first.result
    receipts = result["receipts"]
    assert receipts
    assert sum(receipt["cost_msat"] for receipt in receipts) == result["cost_msat"]
    assert 0 < result["cost_msat"] <= result["quoted_msat"]
    assert result["cost_msat"] <= result["paid_msat"] - result["change_msat"]
    # Only whole sat can come back: less than one stays with the ghost.
    assert result["paid_msat"] - result["change_msat"] - result["cost_msat"] < 1000


def test_shape_and_times(first: Run) -> None:
    result = first.result
    assert result["shape_class"] == "text"
    assert 0 < result["ttft_ms"] <= result["total_ms"]
    assert result["cells_up"] > 0
    assert result["cells_down"] > 0
    assert result["mint"].startswith("http://127.0.0.1:")


def test_progress_goes_to_standard_error_without_content(first: Run) -> None:
    assert "ghost is ready" in first.stderr
    assert "Quuxpromptmark" not in first.stderr
    assert "Traceback" not in first.stderr


def test_nothing_is_left_running(first: Run) -> None:
    assert first.alive == {}
    assert processes_of(first.folder) == {}


def test_no_file_holds_prompt_answer_or_route(first: Run) -> None:
    answer = first.result["answer"].encode()
    files = [path for path in first.home.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        data = path.read_bytes()
        assert b"Quuxpromptmark" not in data, path
        assert answer[:40] not in data, path


def test_keys_are_private_and_in_no_log(first: Run) -> None:
    keys = list(first.home.rglob("*.key"))
    assert len(keys) == 9  # eight nodes and the mint
    secrets = []
    for key in keys:
        assert key.stat().st_mode & 0o777 == 0o600
        assert key.parent.stat().st_mode & 0o777 == 0o700
        secrets.append(key.read_bytes().strip())
    # Nutshell keeps its own key in its own database; that folder is the mint's alone.
    foreign = first.home / "mint" / "data"
    for path in first.home.rglob("*"):
        if path.is_file() and path not in keys and foreign not in path.parents:
            data = path.read_bytes()
            assert not any(secret in data for secret in secrets), path


def test_the_home_can_be_used_again(first: Run) -> None:
    done = run_demo(first.folder, "--ask", "And a leek?", "--home", str(first.home))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    before, after = (
        int(text.split("the wallet holds ")[1].split()[0]) for text in (first.stderr, done.stderr)
    )
    assert 0 < after < before  # not funded a second time
    assert everyone(first.home) == {}


def test_a_fresh_demo_leaves_nothing_behind() -> None:
    with short_folder() as folder:
        done = run_demo(folder, "--ask", "-", "--json", text="What is a bulb?")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["answer"]
        assert list(folder.iterdir()) == []
        assert processes_of(folder) == {}
