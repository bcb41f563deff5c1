"""Errors cross the socket with their sentences; unforeseen ones without their text."""

from __future__ import annotations

from engine.control.failures import describe
from engine.errors import NoRoute


class WalletLike(Exception):
    """An error of another package's tree, with the same fields."""

    code = "insufficient_funds"
    exit_code = 7
    message = "There is too little ecash."
    kept = "Nothing was spent."
    hint = "Fund the wallet."


def test_our_own_errors_keep_their_fields() -> None:
    body = describe(NoRoute("No path.", kept="k", hint="h"))
    assert (body.code, body.message, body.kept, body.hint, body.exit_code) == (
        "no_route",
        "No path.",
        "k",
        "h",
        4,
    )


def test_errors_are_known_by_their_fields() -> None:
    body = describe(ExceptionGroup("g", [ValueError("x"), ExceptionGroup("h", [WalletLike()])]))
    assert (body.code, body.exit_code, body.kept) == (
        "insufficient_funds",
        7,
        "Nothing was spent.",
    )


def test_unforeseen_errors_give_nothing_away() -> None:
    for exc in (ValueError("my secret prompt"), OSError(2, "secret"), SystemError("secret")):
        body = describe(exc)
        assert body.code == "internal"
        assert "secret" not in repr(body)
