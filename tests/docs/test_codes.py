"""The page on troubles has every error code of the program, and no other."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

from engine.exit.backends.faults import KINDS
from tests.docs.pages import ROOT
from tui.cli import failures
from tui.cli.failures import EXIT_CODES

SAID = re.compile(
    r"(?:"
    r"\bcode(?:: str)?\s*=\s*"  # a class, an argument, a default
    r"|\b_Refused\(\s*|= refusal\(\s*"  # the control socket
    r"|\bProblem\(\s*[\w.]+,\s*"  # the local API
    r')"([a-z_]+)"'
)
ROW = re.compile(r"^\| `([a-z_]+)` \| (\d*) ?\| (.+) \| (.+) \|$", re.MULTILINE)


def page() -> str:
    return (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")


def sources() -> list[Path]:
    folders = ("engine", "wallet", "tui")
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_every_code_has_a_row_and_every_row_a_code() -> None:
    codes = {code for path in sources() for code in SAID.findall(path.read_text("utf-8"))}
    rows = [row[0] for row in ROW.findall(page())]
    assert sorted(rows) == sorted(set(rows)), "a code has two rows"
    assert codes - set(rows) == set(), "codes without a row in docs/troubleshooting.md"
    assert set(rows) - codes == set(), "rows in docs/troubleshooting.md of codes that are gone"


def test_the_exit_codes_are_those_of_the_classes() -> None:
    """Where a class or a call says both, the row says the same."""
    rows = {code: number for code, number, _, _ in ROW.findall(page())}
    known = {str(number) for number, _ in EXIT_CODES}
    assert {number for number in rows.values() if number} <= known
    for code, number in [*class_codes(), *call_codes()]:
        assert rows[code] == str(number), f"{code}: exit {number}"


def class_codes() -> list[tuple[str, int]]:
    """The code and exit code of every class that says its own code."""
    found = []
    for path in sources():
        if re.search(r"^    code = \"", path.read_text("utf-8"), re.MULTILINE):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = importlib.import_module(name)
            kinds = [k for k in vars(module).values() if isinstance(k, type)]
            found += [
                (k.code, k.exit_code) for k in kinds if k.__module__ == name and "code" in vars(k)
            ]
    assert len(found) > 30
    return found


def call_codes() -> list[tuple[str, int]]:
    """The code and exit code of every call that names both, as the command line's errors do."""
    found = []
    texts = [path.read_text("utf-8") for path in sources()]
    for text in texts:
        for node in ast.walk(ast.parse(text)) if "exit_code=" in text else ():
            if isinstance(node, ast.Call):
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                code, number = given.get("code"), given.get("exit_code")
                if isinstance(code, ast.Constant) and isinstance(number, ast.Name | ast.Constant):
                    found.append((str(code.value), number_of(number)))
    assert len(found) > 10
    return found


def number_of(node: ast.Name | ast.Constant) -> int:
    """An exit code as it is written: a number, or its name in tui.cli.failures."""
    return int(str(node.value)) if isinstance(node, ast.Constant) else getattr(failures, node.id)


def test_nothing_that_is_raised_on_purpose_is_called_a_mistake_of_ours() -> None:
    """`internal` asks its reader for a report, and stands in the log as an error."""
    bare = re.compile(r"raise (?:Peer2Prompt|Wallet)Error\(")
    assert [str(p) for p in sources() if bare.search(p.read_text("utf-8"))] == []


def test_the_ways_a_provider_fails_are_there() -> None:
    text = page()
    assert all(f"`{kind}`" in text for kind in KINDS)
