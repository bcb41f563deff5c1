"""Lightning addresses (name@host, LNURL-pay): the invoice for an amount, from the host they name.

The host sees who connects and that this name is paid, so it is asked only over what hides the
payer (`reach`, a circuit); nothing else here opens anything. What it answers is not trusted: the
invoice has to ask for exactly the amount and to commit to the description that was shown.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
import trio

from wallet.address_form import ADDRESS
from wallet.ecash import bolt11
from wallet.ecash.errors import EcashError
from wallet.errors import AddressRefused, BadAmount
from wallet.mint import HEADERS
from wallet.mints import TransportFor
from wallet.reading import BROKEN, Unacceptable, read_all

T = TypeVar("T")
ASK_TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 64 << 10
MAX_URL_CHARS = 2000
MSAT = 1000
_Msat = Annotated[int, msgspec.Meta(ge=1, le=21_000_000 * 10**11)]


class _Offer(msgspec.Struct):
    tag: str
    callback: str
    metadata: str
    min_sendable: _Msat = msgspec.field(name="minSendable")
    max_sendable: _Msat = msgspec.field(name="maxSendable")


class _Made(msgspec.Struct):
    pr: str


class _Status(msgspec.Struct):
    status: str = ""


def is_address(text: str) -> bool:
    """Whether this means a Lightning address; it may still be misspelt."""
    return "@" in text


async def invoice_for(text: str, amount_sat: int | None, reach: TransportFor | None) -> str:
    """An invoice of the address for exactly this amount.

    Raises BadAmount without an amount or for one the address does not take; AddressRefused for
    what is no address, for a host that is not reached, and for an invoice that is not what was
    asked for. Nothing is paid here.
    """
    address = text.strip().lower()
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise _refused("This is not a Lightning address.", "It looks like name@example.com.")
    if reach is None:
        raise _refused(
            "A Lightning address is asked only over circuits: its host would see who pays.",
            'Set [wallet] via = "circuit", or pay an invoice of it.',
        )
    if amount_sat is None or amount_sat <= 0:
        raise BadAmount("A Lightning address leaves the amount open.", hint="Say how much to pay.")
    name, host = match.groups()
    offer = await _ask(f"https://{host}/.well-known/lnurlp/{name}", reach, _Offer)
    _check_offer(offer, host, amount_sat)
    join = "&" if urlsplit(offer.callback).query else "?"
    made = await _ask(f"{offer.callback}{join}amount={amount_sat * MSAT}", reach, _Made)
    _check_invoice(made.pr, offer.metadata, host, amount_sat)
    return made.pr


def _check_offer(offer: _Offer, host: str, amount_sat: int) -> None:
    try:
        kinds = [kind for kind, *_ in msgspec.json.decode(offer.metadata, type=list[list[object]])]
        callback = urlsplit(offer.callback)
        callback_ok = bool(callback.hostname) and callback.port is None
    except ValueError:  # also what does not unpack, and a port that is no number
        raise _lied(host, "its offer is malformed") from None
    if offer.tag != "payRequest" or "text/plain" not in kinds:
        raise _lied(host, "its offer is malformed")
    plain = offer.callback.isascii() and offer.callback.isprintable() and " " not in offer.callback
    if (
        not (callback_ok and plain and len(offer.callback) <= MAX_URL_CHARS)
        or callback.scheme != "https"
        or "@" in callback.netloc
        or callback.fragment
    ):
        raise _lied(host, "it sends us to an address that is not plain HTTPS")
    if not offer.min_sendable <= amount_sat * MSAT <= offer.max_sendable:
        least, most = -(-offer.min_sendable // MSAT), offer.max_sendable // MSAT
        raise BadAmount(f"This address takes {least} to {most} sat.", hint="Change the amount.")


def _check_invoice(text: str, metadata: str, host: str, amount_sat: int) -> None:
    try:
        invoice = bolt11.decode(text)
    except EcashError as exc:
        raise _lied(host, str(exc)) from exc
    if invoice.amount_msat != amount_sat * MSAT:
        raise _lied(host, "its invoice asks for another amount")
    if invoice.description_hash != hashlib.sha256(metadata.encode()).digest():
        raise _lied(host, "its invoice is not for this address")


async def _ask(url: str, reach: TransportFor, kind: type[T]) -> T:
    host = urlsplit(url).hostname or ""
    try:
        with trio.fail_after(ASK_TIMEOUT_S):
            status, data = await _get(url, reach(f"https://{host}"))
    except BROKEN as exc:
        raise _refused(
            f"{host} gave no complete answer over circuits.",
            "Not every exit relay leads there. Try later, or ask the payee for an invoice.",
        ) from exc
    except Unacceptable as exc:
        raise _lied(host, str(exc)) from exc
    try:
        if status != 200 or msgspec.json.decode(data, type=_Status).status == "ERROR":
            raise _refused(f"{host} refused.", "Check the name, or ask the payee for an invoice.")
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise _lied(host, "its answer does not follow the protocol") from exc


async def _get(url: str, transport: httpx.AsyncBaseTransport) -> tuple[int, bytes]:
    async with (
        httpx.AsyncClient(
            transport=transport, headers=HEADERS, trust_env=False, follow_redirects=False
        ) as client,
        client.stream("GET", url) as response,
    ):
        return response.status_code, await read_all(response, MAX_ANSWER_BYTES)


def _lied(host: str, how: str) -> AddressRefused:
    return _refused(f"{host} gave a wrong answer: {how}.", "Ask the payee for an invoice.")


def _refused(message: str, hint: str) -> AddressRefused:
    return AddressRefused(message, kept="Nothing was paid.", hint=hint)
