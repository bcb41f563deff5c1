"""The table of supported NUTs in the documentation is the program's own."""

from __future__ import annotations

from pathlib import Path

from wallet.nuts import NUTS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "wallet.md"


def test_the_table_in_the_documentation_is_this_one() -> None:
    text = DOCS.read_text()
    for nut in NUTS:
        assert f"| {nut.number:02} | {nut.support} | {nut.name} | {nut.note} |" in text
    assert [nut.number for nut in NUTS] == sorted({nut.number for nut in NUTS})
    assert {nut.support for nut in NUTS} <= {"yes", "part", "no"}
