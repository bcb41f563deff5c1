"""The documents name tests for attacks: each must exist, and no attack may go unnamed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path("tests/adversary")
THREATS = (ROOT / "docs" / "threat-model.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
# Short names of section 10 of the protocol; any other stands for tests/adversary/test_NAME.py.
SHORT = {
    "layer_attacks": "tests/engine/crypto/test_layer_attacks.py",
    "layers": "tests/engine/crypto/test_layers.py",
    "hop": "tests/engine/crypto/test_hop.py",
    "mux": "tests/engine/circuit/test_mux.py",
}
# What DESIGN section 11 asks of links, cells, circuits, guards, replies, limits and fail-open, each
# by words that a line of the threat model must hold together with a test.
ASKED = [
    "mark cells for each other",
    "replays, reorders, drops or invents cells",
    "CREATE replayed in the epoch, after a restart",
    "wrong clocks at the edges of epochs",
    "a reply block used twice, replayed, hoarded",
    "a relay guesses its place or the path's length",
    "sizes of writes",
    "an answer cut off anywhere",
    "a guard fails circuits that it cannot read",
    "linking a user over many sessions",
    "rented address ranges",
    "floods of CREATE",
    "readers that never read",
    "malformed input",
    "copied onion key, borrowed, forged or expired certificate",
    "points of small order",
    "suite changed on the way",
    "a middle answers for the next hop",
    "extend to oneself, back, to private",
    "filling mailboxes",
    "searching for boxes",
    "theft of all identity, link and onion keys",
    "reading the memory of a client or relay after close",
    "connects to relays only",
    "a watcher of the guard's link guesses the kind of answer",
]


def functions_of(path: Path) -> set[str]:
    """The test functions of a file, those in classes too."""
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def named_in_threats() -> list[tuple[Path, str]]:
    """(file, test or "") of every test that the threat model names."""
    found = re.findall(r"`((?:[\w/]+/)?test_\w+\.py)(?:::(\w+))?`", THREATS)
    return [(Path(file) if "/" in file else HERE / file, test) for file, test in found]


def named_in_protocol() -> list[tuple[Path, str]]:
    """The same for the table of section 10 and "What remains"."""
    found = re.findall(r"`(\w+)::(test_\w+)`", PROTOCOL)
    return [(Path(SHORT.get(name, f"{HERE}/test_{name}.py")), test) for name, test in found]


@pytest.mark.parametrize("named", [named_in_threats, named_in_protocol])
def test_every_test_that_a_document_names_exists(named: object) -> None:
    """A document that names a test nobody runs would promise more than is so."""
    assert callable(named)
    pairs = named()
    assert len(pairs) > 40
    missing = [
        f"{path}::{test}"
        for path, test in pairs
        if not (ROOT / path).is_file() or (test and test not in functions_of(ROOT / path))
    ]
    assert not missing


def test_every_attack_is_in_the_threat_model() -> None:
    """A new file of attacks must be told to users: what happens, and by which test."""
    told = {path.name for path, _ in named_in_threats()}
    files = {path.name for path in (ROOT / HERE).glob("test_*.py")} - {Path(__file__).name}
    assert files <= told, f"not in docs/threat-model.md: {sorted(files - told)}"


@pytest.mark.parametrize("words", ASKED)
def test_every_attack_asked_for_has_a_line_with_a_test(words: str) -> None:
    """The list of attacks in the design is the floor, and no line of it may get lost."""
    (line,) = [line for line in THREATS.splitlines() if words in line]
    assert line.startswith("|")
    assert "test_" in line
