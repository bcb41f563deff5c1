"""What is shown for an invoice is a QR code that a foreign reader reads as that invoice."""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
import pytest
import zxingcpp

from tui.app.screens.qr import qr_lines as dialog_lines
from tui.cli.qr import print_qr, qr_lines

# A mint's usual invoice: payment hash, secret, description, expiry and signature.
INVOICE = (
    "lnbc210n1pj48ugqpp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygssp5yg3zyg3zyg3zyg3zyg3zy"
    "g3zyg3zyg3zyg3zyg3zyg3zyg3zyg3qhp594c3vs4hy6cygqtz0j5lhtpj7hy9xra3jq7vfkczykr30ys6fzqs2cyz339h"
    "xjpk4hk42yyvdq370uefczcp7aungwxvstlj755ec3rnlmrszgz69vzuuxuajx7qxs0vd6ryf322fye9xg7u2v522ssp7n"
    "gqhjn4sj"
)
HALVES = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
PIXELS = 4


def read(lines: list[str], *, drawn_is_light: bool) -> str:
    """The lines as a camera sees them: each half block a square, in the terminal's two colours."""
    rows = [[HALVES[char][half] for char in line] for line in lines for half in (0, 1)]
    light = np.array(rows, dtype=np.uint8) ^ (not drawn_is_light)
    picture = np.kron(light * 255, np.ones((PIXELS, PIXELS), dtype=np.uint8)).astype(np.uint8)
    found = zxingcpp.read_barcode(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    assert found is not None, "no reader would find a code here"
    return str(found.text)


def show(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    columns: int,
    lines: int,
) -> list[str]:
    """What a terminal of this size is shown, without colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    size = os.terminal_size((columns, lines))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: size)
    print_qr(INVOICE)
    return capsys.readouterr().out.splitlines()


def test_what_a_terminal_shows_is_read_as_the_invoice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [line for line in show(monkeypatch, capsys, 80, 40) if line]
    assert len(shown) < 40
    assert max(map(len, shown)) <= 80
    assert read(shown, drawn_is_light=True) == INVOICE.upper()


def test_a_window_of_80_by_24_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invoice of this length needs 29 lines: a part of a code is of no use."""
    shown = show(monkeypatch, capsys, 80, 24)
    needed = len(qr_lines(INVOICE)) + 1
    assert f"{needed} lines" in shown[0]
    assert "picture" in " ".join(shown)
    assert max(map(len, shown)) <= 80
    assert not set("█▀▄") & set("".join(shown))


def test_short_codes_fit_into_80_by_24() -> None:
    assert len(qr_lines("lnbc210n1" + "q" * 180)) < 24


def test_the_screen_shows_the_same_code() -> None:
    assert read(dialog_lines(INVOICE.upper()), drawn_is_light=False) == INVOICE.upper()


LONG_INVITE, SHORT_INVITE = "P2P1" + "AB" * 133, "P2P1" + "AB" * 42  # of four contacts, and one


@pytest.mark.parametrize(("lines", "seen"), [(24, SHORT_INVITE), (60, LONG_INVITE)])
def test_an_invite_is_scanned_from_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lines: int, seen: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((80, lines)))
    print_qr(LONG_INVITE, SHORT_INVITE, besides=4)
    shown = [line for line in capsys.readouterr().out.splitlines() if line]
    assert len(shown) + 4 < lines
    assert read(shown, drawn_is_light=True) == seen
