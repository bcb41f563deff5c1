"""Payment requests (NUT-18): asking for ecash, and paying who asks.

A request of ours is locked to a fresh key and names no place to bring the ecash to: the payer hands
the token over the way the request came. A request that names an HTTPS address is paid there only
over a transport that was handed in for it (`post`), because that address sees who connects; a
token that was not delivered is given to the user, who may hand it over or take it back.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import trio

from wallet.accounts import SAT, UNITS, join, unit_of
from wallet.ecash import conditions, creqb, requests, tokens
from wallet.ecash.errors import EcashError
from wallet.ecash.requests import PaymentRequest, PostTarget
from wallet.errors import BadAmount, InsufficientFunds, TokenInvalid, UntrustedMint
from wallet.handover import Handover
from wallet.keyring import KeyRing
from wallet.mint import HEADERS
from wallet.mints import MintBook, TransportFor
from wallet.reading import BROKEN
from wallet.store import Store
from wallet.types import PaidRequest

POST_TIMEOUT_S = 60.0
ID_BYTES = 4


class Paying:
    def __init__(
        self,
        store: Store,
        mints: MintBook,
        handover: Handover,
        keys: KeyRing,
        post: TransportFor | None,
    ) -> None:
        self._store = store
        self._mints = mints
        self._handover = handover
        self._keys = keys
        self._post = post

    async def create(self, amount_sat: int | None, description: str, *, locked: bool) -> str:
        """A `creqA` text for any mint on the list."""
        lock = conditions.lock_to_keys([await self._keys.fresh()]) if locked else None
        return requests.encode(
            PaymentRequest(
                id=secrets.token_hex(ID_BYTES),
                amount=amount_sat,
                mints=tuple(u for u in self._mints.urls() if unit_of(u) == SAT),
                description=description,
                single_use=True,
                lock=lock,
            )
        )

    async def pay(self, text: str, amount_sat: int | None = None) -> PaidRequest:
        """Make the token that is asked for, and deliver it when the request says where and we may.
        `amount_sat` is for requests that leave it open."""
        request = parse(text)
        amount = request.amount or amount_sat
        if amount is None:
            raise BadAmount("The request leaves the amount open.", hint="Say how much to pay.")
        if amount_sat not in (None, amount):
            raise BadAmount(
                f"The request asks for {amount} {request.unit}.", hint="Leave the amount out."
            )
        url = await self._choose(request, amount)
        token = await self._handover.send(url, amount, request.description, request.lock)
        return PaidRequest(url, amount, await self._deliver(request, token), token)

    async def _choose(self, request: PaymentRequest, amount: int) -> str:
        """The mint with the most to spend among those asked for."""
        if request.unit not in UNITS:
            raise TokenInvalid("The request is in a unit that is not supported.")
        asked = {join(url, request.unit) for url in request.mints}
        allowed = [
            account
            for account in self._mints.urls()
            if unit_of(account) == request.unit and (not asked or account in asked)
        ]
        if not allowed:
            raise UntrustedMint(
                "The request asks for ecash of mints or in a unit that are not on your list.",
                kept="Nothing was paid.",
                hint="Add one of them first if you trust it: " + ", ".join(request.mints[:3]),
            )
        sums = await self._store.run(lambda tx: tx.proofs.sums())
        have = {url: sums[url][0] if url in sums else 0 for url in allowed}
        best = max(allowed, key=lambda url: have[url])
        if have[best] < amount:
            raise InsufficientFunds(
                f"This needs {amount} {request.unit}; {have[best]} are available at {best}.",
                needed_sat=amount,
                available_sat=have[best],
                kept="Nothing was paid.",
                hint="Fund the wallet: peer2prompt wallet fund AMOUNT",
            )
        return best

    async def _deliver(self, request: PaymentRequest, token: str) -> bool:
        target = _https(request.transports)
        if target is None or self._post is None:
            return False
        content = requests.payload(request.id, tokens.decode(token))
        headers = {**HEADERS, "content-type": "application/json"}
        try:
            with trio.fail_after(POST_TIMEOUT_S):
                async with httpx.AsyncClient(
                    transport=self._post(target), trust_env=False, follow_redirects=False
                ) as client:
                    answer = await client.post(target, content=content, headers=headers)
        except BROKEN:
            return False
        return answer.is_success


def parse(text: str) -> PaymentRequest:
    """In either of its alphabets (NUT-18, NUT-26)."""
    try:
        return creqb.decode(text) if creqb.is_one(text) else requests.decode(text)
    except EcashError as exc:
        raise TokenInvalid(
            f"This is not a payment request: {exc}.", hint="It begins with creqA or CREQB."
        ) from exc


def compact(text: str) -> str:
    """The same request with a smaller QR code (NUT-26). Raises TokenInvalid."""
    return creqb.encode(parse(text))


def _https(transports: Sequence[PostTarget]) -> str | None:
    """The first address we would post to: end to end encrypted ones only."""
    for transport in transports:
        parts = urlsplit(transport.target)
        if transport.kind == "post" and parts.scheme == "https" and parts.hostname:
            return transport.target
    return None
