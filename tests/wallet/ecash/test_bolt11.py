"""Invoices of a foreign encoder are read; nothing else passes, and nothing else is raised."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ecash import bolt11
from wallet.ecash.errors import EcashError

# Made by the `bolt11` package: 21,000 msat; the first commits to the SHA-256 of "x".
HASHED = (
    "lnbc210n1pj48ugqpp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygssp5yg3zyg3zyg3zyg3zyg3zy"
    "g3zyg3zyg3zyg3zyg3zyg3zyg3zyg3qhp594c3vs4hy6cygqtz0j5lhtpj7hy9xra3jq7vfkczykr30ys6fzqs2cyz339h"
    "xjpk4hk42yyvdq370uefczcp7aungwxvstlj755ec3rnlmrszgz69vzuuxuajx7qxs0vd6ryf322fye9xg7u2v522ssp7n"
    "gqhjn4sj"
)
DESCRIBED = (
    "lnbc210n1pj48ugqpp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygssp5yg3zyg3zyg3zyg3zyg3zy"
    "g3zyg3zyg3zyg3zyg3zyg3zyg3zyg3qdq2vdhkven9v585kfp7ynm0rymvt0z7asrxtftnm68npwyvq3zx75fgmytap28g"
    "mz7ektlefr7rlnwcl2kungzhtset6lsnsxsdyzyuujf934u7vnppcqqnkjjl"
)


def test_invoices_of_a_foreign_encoder() -> None:
    expected = bolt11.Invoice(21_000, hashlib.sha256(b"x").digest())
    assert bolt11.decode(HASHED) == expected
    assert bolt11.decode(HASHED.upper()) == expected
    assert bolt11.decode(DESCRIBED) == bolt11.Invoice(21_000, b"")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lnbc1",
        HASHED[:-1],
        HASHED + "q",
        HASHED.replace("lnbc210n", "lnbc211n"),
        "L" + HASHED[1:],
        " " + HASHED,
        "lightning:" + HASHED,
        HASHED.replace("lnbc", "lnxx"),
        HASHED.replace("3", "b", 1),
        "lnbc" + "9" * 5000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(EcashError):
        bolt11.decode(text)


@given(st.integers(0, len(HASHED) - 1), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l1"))
def test_a_changed_character_is_seen(place: int, char: str) -> None:
    changed = HASHED[:place] + char + HASHED[place + 1 :]
    if changed != HASHED:
        with pytest.raises(EcashError):
            bolt11.decode(changed)


@given(st.text(max_size=300) | st.text("lnbc1qpzry9x8munp0", max_size=300).map("lnbc".__add__))
def test_any_text_is_an_invoice_or_refused(text: str) -> None:
    try:
        bolt11.decode(text)
    except EcashError:
        return
