"""What the demo says to its nodes over their control sockets: first contacts, first ecash."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from engine.control.client import ControlClient, RemoteError, connect
from engine.control.paths import control_socket
from tui.demo.errors import DemoError
from tui.demo.home import DemoHome, write_text

FUND_SAT = 2_000
ENOUGH_SAT = 200
"""A kept home with at least this much at its mint is not funded again."""

API_KEY = "demo"
"""The name of the key that `demo --api` prints."""
CONTACTS = 2  # relays that the others ask first
_SHOW_INVOICE_AFTER_S = 4.0
_RETRY_FOR_S = 45.0
_MEET_FOR_S = 90.0
Note = Callable[[str], None]


def socket_of(home: DemoHome, name: str) -> Path:
    return control_socket(home.root / name)


async def call(home: DemoHome, name: str, method: str, **params: Any) -> Any:
    async with connect(socket_of(home, name), client="demo", events=False) as client:
        return await client.call(method, **params)


async def introduce(home: DemoHome, relays: Sequence[str]) -> None:
    """Write invites of the first relays for all nodes to read, and have every relay use them."""
    invites = [str((await call(home, name, "network.invite"))["invite"]) for name in relays]
    write_text(home.contacts, "\n".join(invites[:CONTACTS]) + "\n")
    async with anyio.create_task_group() as group:
        for name in relays:
            group.start_soon(partial(call, home, name, "directory.reload"))


async def wait_until_met(home: DemoHome, contacts: Sequence[str], expected: int) -> bool:
    """Wait until the first contacts know `expected` nodes; False when that takes too long."""
    with anyio.move_on_after(_MEET_FOR_S):
        while True:
            views = [await call(home, name, "network") for name in contacts]
            if all(_nodes(view) >= expected for view in views):
                return True
            await anyio.sleep(0.05)
    return False


def _nodes(view: dict[str, Any]) -> int:
    return len({node["id"] for node in (*view["relays"], *view["ghosts"])})


async def api_key(home: DemoHome) -> str:
    """A fresh key to the client's local API. Those of earlier runs in this folder end."""
    async with connect(socket_of(home, "client"), client="demo", events=False) as client:
        if any(key["name"] == API_KEY for key in await client.call("api.keys")):
            await client.call("api.key.revoke", name=API_KEY)
        return str((await client.call("api.key.new", name=API_KEY))["key"])


async def fund(home: DemoHome, mint: str, note: Note, timeout_s: float) -> int:
    """Make sure the client's wallet holds some ecash of `mint`; returns how much, in sat."""
    async with connect(socket_of(home, "client"), client="demo", events=False) as client:
        have = await _available(client, mint)
        if have >= ENOUGH_SAT:
            return have
        quote = await _request_invoice(client, mint)
        shown = False
        begun = anyio.current_time()
        while True:
            check = await client.call("wallet.fund.check", quote_id=quote["quote_id"])
            if check.get("minted_sat") or str(check.get("state", "")).lower() == "issued":
                return await _available(client, mint)
            waited = anyio.current_time() - begun
            if not shown and waited > _SHOW_INVOICE_AFTER_S:
                note(invoice_text(str(quote["invoice"]), FUND_SAT, mint))
                shown = True
            if waited > timeout_s:
                raise DemoError(
                    f"The invoice of the mint {mint} was not paid within {timeout_s:.0f} seconds.",
                    kept="The quote is in the wallet: once paid, it can still be claimed.",
                    hint="Start the demo again with the same --home after paying, or allow more "
                    "time with --timeout.",
                    code="payment",
                    exit_code=7,
                )
            await anyio.sleep(0.2 if waited < 2 else 1.0)


async def _available(client: ControlClient, mint: str) -> int:
    balance = await client.call("wallet.balance")
    return sum(int(m["available_sat"]) for m in balance["mints"] if m["url"] == mint)


async def _request_invoice(client: ControlClient, mint: str) -> dict[str, Any]:
    """Ask for an invoice; the first circuits may still be building, so temporary errors of the
    network and the mint are tried again for a while."""
    deadline = anyio.current_time() + _RETRY_FOR_S
    while True:
        try:
            quote: dict[str, Any] = await client.call("wallet.fund", mint=mint, amount_sat=FUND_SAT)
            return quote
        except RemoteError as exc:
            if exc.exit_code not in (4, 5):
                raise
            if anyio.current_time() > deadline:
                # The node lists a mint once it has answered, so "not listed" means it never did.
                raise DemoError(
                    f"The mint {mint} does not answer.",
                    kept="Nothing was paid.",
                    hint="Check its address, or leave --mint out to use the demo's own.",
                    code="mint",
                    exit_code=5,
                ) from exc
        await anyio.sleep(0.5)


def invoice_text(invoice: str, amount_sat: int, mint: str) -> str:
    """The invoice as text and as a QR code for a terminal."""
    import segno

    drawing = io.StringIO()
    # Upper case makes the QR alphanumeric, hence smaller; BOLT11 allows it.
    segno.make(invoice.upper(), error="l", micro=False).terminal(out=drawing, compact=True)
    return (
        f"The mint {mint} wants {amount_sat} sat before the demo can go on. Pay this invoice:\n\n"
        f"{invoice}\n\n{drawing.getvalue()}"
    )
