"""The client of one mint: one method per NUT endpoint, over a transport it is handed.

It keeps nothing that could mark us between requests: no cookies, no cache headers, no redirects,
no proxy settings from the environment. Foreign exceptions become ours here. It never retries;
whether a request may be repeated is known only to the journal.
"""

from __future__ import annotations

import http.cookiejar
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx
import msgspec
import trio

from wallet import schemas
from wallet.ecash.errors import EcashError
from wallet.ecash.keysets import Keyset, make_keyset
from wallet.ecash.types import BlindedMessage, BlindSignature, Proof, ProofState
from wallet.errors import MintError, MintLied, MintUnreachable
from wallet.health import Health
from wallet.reading import BROKEN, Unacceptable, read_all

T = TypeVar("T")

# A thousand signatures with proofs are about 400 kB; nothing honest is larger than this.
MAX_ANSWER_BYTES = 4 << 20
# The array limit that mints announce; longer questions are asked in parts.
MAX_ITEMS = 500
# Sixteen concurrent swaps drew transient errors from a mint's database lock; two are safe.
MAX_IN_FLIGHT = 2
HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "cashu-wallet",
}


class MintClient:
    """Readable any time: `health`, the last exchanges; `last_error`, the last failure in words."""

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        timeout_s: float = 30.0,
        unit: str = "sat",
        health: Health | None = None,
    ) -> None:
        self.url = url
        self.unit = unit
        self._timeout_s = timeout_s
        self.health = health or Health()
        self.last_error = ""
        refuse_all = http.cookiejar.DefaultCookiePolicy(allowed_domains=[])
        self._http = httpx.AsyncClient(
            transport=transport,
            headers=HEADERS,
            timeout=timeout_s,
            cookies=http.cookiejar.CookieJar(refuse_all),
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_connections=MAX_IN_FLIGHT),
        )
        self._in_flight = trio.Semaphore(MAX_IN_FLIGHT)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def info(self) -> schemas.MintInfo:
        """NUT-06."""
        return await self._ask("GET", "/v1/info", schemas.MintInfo)

    async def keysets(self) -> list[schemas.KeysetHead]:
        """NUT-02: ids, units, fees; not yet the keys."""
        return (await self._ask("GET", "/v1/keysets", schemas.KeysetHeads)).keysets

    async def keyset(self, head: schemas.KeysetHead) -> Keyset:
        """NUT-01: the keys, checked against the id that names them."""
        answer = await self._ask("GET", f"/v1/keys/{_segment(head.id)}", schemas.KeysAnswer)
        for found in answer.keysets:
            if found.id == head.id:
                try:
                    return make_keyset(
                        head.id,
                        found.keys,
                        unit=head.unit,
                        active=head.active,
                        input_fee_ppk=head.input_fee_ppk or 0,
                        final_expiry=head.final_expiry,
                    )
                except EcashError as exc:
                    raise self._lied(f"its keyset is wrong ({exc})") from exc
        raise self._lied("it did not give the keyset that was asked for")

    async def request_mint(self, amount: int, pubkey: str | None) -> schemas.MintQuoteAnswer:
        """NUT-04/23, with a NUT-20 key when given."""
        body: dict[str, object] = {"amount": amount, "unit": self.unit}
        if pubkey is not None:
            body["pubkey"] = pubkey
        return await self._ask("POST", "/v1/mint/quote/bolt11", schemas.MintQuoteAnswer, body)

    async def mint_quote(self, quote_id: str) -> schemas.MintQuoteAnswer:
        path = f"/v1/mint/quote/bolt11/{_segment(quote_id)}"
        return await self._ask("GET", path, schemas.MintQuoteAnswer)

    async def mint(
        self, quote_id: str, outputs: Sequence[BlindedMessage], signature: str | None
    ) -> list[BlindSignature]:
        """Have outputs signed for a paid invoice (NUT-04, 20). Raises a MintProblem."""
        body: dict[str, object] = {"quote": quote_id, "outputs": schemas.outputs_json(outputs)}
        if signature is not None:
            body["signature"] = signature
        answer = await self._ask("POST", "/v1/mint/bolt11", schemas.SignaturesAnswer, body)
        return self._signatures(answer.signatures)

    async def request_melt(self, invoice: str, part_msat: int | None = None) -> schemas.MeltAnswer:
        """NUT-05/23; with `part_msat` only this part of the invoice (NUT-15)."""
        body: dict[str, object] = {"request": invoice, "unit": self.unit}
        if part_msat is not None:
            body["options"] = {"mpp": {"amount": part_msat}}
        return await self._ask("POST", "/v1/melt/quote/bolt11", schemas.MeltAnswer, body)

    async def melt_quote(self, quote_id: str) -> schemas.MeltAnswer:
        path = f"/v1/melt/quote/bolt11/{_segment(quote_id)}"
        return await self._ask("GET", path, schemas.MeltAnswer)

    async def melt(
        self, quote_id: str, inputs: Sequence[Proof], blanks: Sequence[BlindedMessage]
    ) -> tuple[str, list[BlindSignature]]:
        """NUT-05 with NUT-08 change: (state, signatures on the first blanks)."""
        body: dict[str, object] = {"quote": quote_id, "inputs": schemas.inputs_json(inputs)}
        if blanks:
            body["outputs"] = schemas.outputs_json(blanks)
        try:
            answer = await self._ask("POST", "/v1/melt/bolt11", schemas.MeltAnswer, body)
        except MintError:
            self.health.refused_payments += 1
            raise
        self.health.refused_payments = 0
        return answer.state, self._signatures(answer.change or [])

    async def swap(
        self, inputs: Sequence[Proof], outputs: Sequence[BlindedMessage]
    ) -> list[BlindSignature]:
        """NUT-03."""
        body = {"inputs": schemas.inputs_json(inputs), "outputs": schemas.outputs_json(outputs)}
        answer = await self._ask("POST", "/v1/swap", schemas.SignaturesAnswer, body)
        return self._signatures(answer.signatures)

    async def states(self, ys: Sequence[bytes]) -> list[ProofState]:
        """NUT-07, in the order asked."""
        states: list[ProofState] = []
        for start in range(0, len(ys), MAX_ITEMS):
            part = [y.hex() for y in ys[start : start + MAX_ITEMS]]
            answer = await self._ask("POST", "/v1/checkstate", schemas.StatesAnswer, {"Ys": part})
            by_y = {state.Y: state.state for state in answer.states}
            if any(y not in by_y for y in part):
                raise self._lied("it left out states that were asked for")
            states += [by_y[y] for y in part]
        return states

    async def restore(self, outputs: Sequence[BlindedMessage]) -> dict[bytes, BlindSignature]:
        """NUT-09: the signatures the mint has made on any of these, by B_."""
        asked = {output.B_.hex() for output in outputs}
        found: dict[bytes, BlindSignature] = {}
        for start in range(0, len(outputs), MAX_ITEMS):
            body = {"outputs": schemas.outputs_json(outputs[start : start + MAX_ITEMS])}
            answer = await self._ask("POST", "/v1/restore", schemas.RestoreAnswer, body)
            if len(answer.outputs) != len(answer.signatures):
                raise self._lied("its restore answer does not pair up")
            for output, signature in zip(
                answer.outputs, self._signatures(answer.signatures), strict=True
            ):
                if output.B_ not in asked:
                    raise self._lied("it restored an output that was not asked for")
                found[bytes.fromhex(output.B_)] = signature
        return found

    def _signatures(self, answers: Sequence[schemas.SignatureAnswer]) -> list[BlindSignature]:
        try:
            return [schemas.parse_signature(answer) for answer in answers]
        except EcashError as exc:
            raise self._lied(str(exc)) from exc

    def _lied(self, how: str) -> MintLied:
        self.last_error = f"gave a wrong answer: {how}"
        self.health.failed()
        return MintLied(
            f"The mint {self.url} gave a wrong answer: {how}.",
            kept="Nothing was given up; the operation stays in the journal.",
            hint="Try again later; if it stays so, do not use this mint.",
        )

    async def _ask(
        self, method: str, path: str, kind: type[T], body: dict[str, Any] | None = None
    ) -> T:
        async with self._in_flight:
            status, data = await self._exchange(method, path, body)
        if status == 200:
            try:
                answer = msgspec.json.decode(data, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
                raise self._lied("it does not follow the protocol") from exc
            self.last_error = ""
            return answer
        raise self._refusal(status, data)

    async def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> tuple[int, bytes]:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        started = time.perf_counter()
        try:
            # httpx bounds each wait; a mint that drips its answer must not hold us for ever.
            with trio.fail_after(self._timeout_s):
                status, data = await self._read(method, path, content, headers)
        except BROKEN as exc:
            self.last_error = _words(exc)
            self.health.failed()
            raise MintUnreachable(
                f"The mint {self.url} gave no complete answer ({self.last_error}).",
                kept="No ecash was lost; what was under way is in the journal.",
                hint="It is tried again at the next start, or sooner when you repeat it.",
            ) from exc
        self.health.answered((time.perf_counter() - started) * 1000)
        return status, data

    async def _read(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        async with self._http.stream(
            method, self.url + path, content=content, headers=headers
        ) as response:
            self.health.dated(response.headers.get("date", ""), time.time())
            try:
                return response.status_code, await read_all(response, MAX_ANSWER_BYTES)
            except Unacceptable as exc:
                raise self._lied(str(exc)) from exc

    def _refusal(self, status: int, data: bytes) -> MintError | MintUnreachable:
        try:
            answer = msgspec.json.decode(data, type=schemas.ErrorAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            answer = schemas.ErrorAnswer()
        if status >= 500 or status == 429 or 300 <= status < 400:
            self.last_error = f"answered with HTTP {status}"
            self.health.failed()
            return MintUnreachable(
                f"The mint {self.url} {self.last_error}.",
                kept="No ecash was lost; what was under way is in the journal.",
                hint="Try again later.",
            )
        detail = _printable(answer.detail)
        return MintError(
            f"The mint {self.url} refused (code {answer.code}{': ' + detail if detail else ''}).",
            mint_code=answer.code,
            detail=detail,
            kept="No ecash was lost.",
        )


def _segment(text: str) -> str:
    """A mint-chosen id as one path segment: it must not reach another endpoint."""
    if not text or not all(c.isalnum() or c in "-_" for c in text) or not text.isascii():
        raise MintLied("The mint gave an id that is not plain text.")
    return text


def _printable(value: object) -> str:
    """Foreign text for an error message: short, one line, no control characters."""
    text = value if isinstance(value, str) else ""
    return "".join(c for c in text if c.isprintable())[:120]


def _words(exc: Exception) -> str:
    if isinstance(exc, httpx.TimeoutException | trio.TooSlowError):
        return "timed out"
    if isinstance(exc, httpx.ConnectError):
        return "could not connect"
    return "the connection broke"
