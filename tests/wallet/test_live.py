"""News of mints over websockets (NUT-17): used while somebody waits, never believed, never needed.

The frames are real ones of a real server; how the mint answers questions is a fake's affair.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.exits import MintExit
from engine.circuit.http import CircuitTransport
from engine.wire.frames import Purpose
from tests.helpers.mint import RealMint, mint_available
from tests.helpers.network import local_network
from tests.helpers.ws_server import Close, Peer, Ping, Script, websocket_server
from tests.wallet.fake_mint import URL, FakeMint, Json, an_invoice
from tests.wallet.support import a_wallet, fund, open_store
from wallet.ecash.subscriptions import News, Topic
from wallet.errors import BadAmount, MintError, MintUnreachable, UnknownOperation
from wallet.live import MAX_MESSAGE_BYTES, open_feed
from wallet.types import Waited
from wallet.wallet import Wallet

pytestmark = [pytest.mark.trio, pytest.mark.usefixtures("quick")]
COMMANDS = [topic.value for topic in Topic]


class LiveMint(httpx.AsyncBaseTransport):
    """A fake mint whose websocket is a real server's; it has no other way in."""

    def __init__(self, server: str) -> None:
        self.mint = FakeMint()
        self.mint.tamper = self._announce
        self.server = httpx.URL(server)
        self.live = 0
        self.cut: Exception | None = None

    def _announce(self, path: str, answer: Json) -> Json:
        if path == "/v1/info":
            listed = {"method": "bolt11", "unit": "sat", "commands": COMMANDS}
            answer["nuts"]["17"] = {"supported": [listed]}
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1/ws":
            return await self.mint.handle_async_request(request)
        self.live += 1
        if self.cut is not None:
            raise self.cut
        request.url = request.url.copy_with(host=self.server.host, port=self.server.port)
        return await httpx.AsyncHTTPTransport().handle_async_request(request)


def told(*states: str) -> Script:
    """A mint that says these states of what is asked, one after the other, and no more."""

    async def script(peer: Peer) -> None:
        request = await peer.accept()
        (name,) = request["params"]["filters"]
        for state in states:
            await peer.tell(name, state)
        await peer.until_closed()

    return script


async def waiting(
    folder: Path, script: Script, work: Callable[[Wallet, LiveMint], Awaitable[None]]
) -> LiveMint:
    async with websocket_server(script) as server:
        mint = LiveMint(server)
        async with a_wallet(folder, "a", URL, transport=mint) as wallet:
            await work(wallet, mint)
        return mint


async def unpaid(wallet: Wallet, mint: LiveMint, amount: int = 20) -> str:
    quote = await wallet.request_mint(URL, amount)
    mint.mint.quotes[quote.quote_id]["state"] = "UNPAID"
    return quote.quote_id


# -- the feed


async def test_news_come_in_their_order() -> None:
    async def script(peer: Peer) -> None:
        request = await peer.accept()
        assert request["method"] == "subscribe"
        assert request["params"]["kind"] == "bolt11_mint_quote"
        await peer.json({"method": "other", "params": {}})
        await peer.send(Ping(payload=b"still there?"))
        for name, state in (("q", "UNPAID"), ("q", "PAID")):
            await peer.tell(name, state)
        await peer.read()  # the answer to the ping
        await peer.until_closed()

    async with (
        websocket_server(script) as url,
        open_feed(url, None, Topic.MINT_QUOTE, ["q"], 5) as feed,
    ):
        with trio.fail_after(60):
            assert [await feed.next(), await feed.next()] == [
                News("q", "UNPAID"),
                News("q", "PAID"),
            ]


async def ends(peer: Peer) -> None:
    await peer.accept()
    await peer.send(Close(code=1001))


async def breaks(peer: Peer) -> None:
    await peer.accept()


async def refuses(peer: Peer) -> None:
    await peer.accept()
    await peer.json({"error": {"code": -1, "message": "no"}, "id": 1})
    await peer.until_closed()


async def babbles(peer: Peer) -> None:
    await peer.accept()
    await peer.stream.send_all(b"\x81\x05hello")
    await peer.until_closed()


async def no_frames(peer: Peer) -> None:
    await peer.accept()
    await peer.stream.send_all(b"\xff" * 64)
    await peer.until_closed()


async def floods(peer: Peer) -> None:
    await peer.accept()
    part = bytes([0x01, 0x7E]) + (8192).to_bytes(2, "big") + b"x" * 8192
    for place in range(MAX_MESSAGE_BYTES // 8192 + 2):
        await peer.stream.send_all(part if not place else b"\x00" + part[1:])
    await peer.until_closed()


@pytest.mark.parametrize("script", [ends, breaks, refuses, babbles, no_frames, floods])
async def test_a_feed_that_ends(script: Script) -> None:
    async with (
        websocket_server(script) as url,
        open_feed(url, None, Topic.MINT_QUOTE, ["q"], 5) as feed,
    ):
        with trio.fail_after(60), pytest.raises(MintUnreachable):
            await feed.next()


async def not_found(peer: Peer) -> None:
    await peer.stream.receive_some(4096)
    await peer.stream.send_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")


async def wrong_key(peer: Peer) -> None:
    await peer.stream.receive_some(4096)
    await peer.stream.send_all(
        b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-accept: bm8=\r\n\r\n"
    )


async def silent(peer: Peer) -> None:
    await peer.until_closed()


@pytest.mark.parametrize("script", [not_found, wrong_key, silent])
async def test_a_server_that_is_no_websocket(script: Script) -> None:
    async with websocket_server(script) as url:
        with trio.fail_after(60), pytest.raises(MintUnreachable, match="no live connection"):
            async with open_feed(url, None, Topic.MINT_QUOTE, ["q"], 0.3):
                raise AssertionError("it was opened")


# -- waiting


async def test_a_paid_invoice_is_told(tmp_path: Path) -> None:
    """The word of the websocket is looked up before it counts."""

    async def work(wallet: Wallet, mint: LiveMint) -> None:
        name = await unpaid(wallet, mint)
        looks = 0

        def look(path: str) -> None:
            nonlocal looks
            looks += path.endswith(name)
            if looks == 3:
                mint.mint.quotes[name]["state"] = "PAID"

        mint.mint.before = look
        with trio.fail_after(60):
            waited = await wallet.waiting.fund(name, URL, 60)
        assert (waited.state, waited.live, looks) == ("PAID", True, 3)
        assert await wallet.complete_mint(name) == 20

    # The first news is a lie: not paid at the second look. The repetition is no reason to look.
    mint = await waiting(tmp_path, told("UNPAID", "PAID", "PAID", "ISSUED"), work)
    assert mint.live == 1


@pytest.mark.parametrize("script", [ends, not_found, babbles])
async def test_without_news_the_mint_is_asked_again(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet.waiting.FIRST_S", 0.01)

    async def work(wallet: Wallet, mint: LiveMint) -> None:
        name = await unpaid(wallet, mint)
        looks = 0

        def look(path: str) -> None:
            nonlocal looks
            looks += path.endswith(name)
            if looks == 4:
                mint.mint.quotes[name]["state"] = "PAID"

        def lost(path: str) -> str:
            return "lose_request" if path.endswith(name) and looks == 2 else ""

        mint.mint.before, mint.mint.faults = look, lost
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:

                async def wait() -> None:
                    waited = await wallet.waiting.fund(name, URL, 60)
                    assert (waited.state, waited.live) == ("PAID", False)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(wait)
                while looks < 2:
                    await trio.sleep(0.01)
                await trio.sleep(0.05)
                mint.mint.faults = lambda _path: ""

    assert (await waiting(tmp_path, script, work)).live == 1


async def test_a_wait_that_is_over_or_left_closes_its_connection(tmp_path: Path) -> None:
    closed = trio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        try:
            await peer.until_closed()
        finally:
            closed.set()

    async def work(wallet: Wallet, mint: LiveMint) -> None:
        name = await unpaid(wallet, mint)
        for patience_s in (0.2, 2.0, 20.0):  # a busy machine may not have connected before
            waited = await wallet.waiting.fund(name, URL, patience_s)
            assert waited.state == ""
            if waited.live:
                break
        assert waited.live
        with trio.fail_after(60):
            await closed.wait()
        with pytest.raises(BadAmount):
            await wallet.waiting.fund(name, URL, 0)

    assert (await waiting(tmp_path, script, work)).live >= 1


async def test_a_payment_that_is_decided_is_told(tmp_path: Path) -> None:
    async def work(wallet: Wallet, mint: LiveMint) -> None:
        await fund(wallet, URL, 64)
        for paid in (True, False):
            quote = await wallet.melt_quote(URL, an_invoice(9))
            with pytest.raises(UnknownOperation, match="not begun"):
                await wallet.waiting.melt(quote.quote_id, URL, 9)
            mint.mint.melt_state = "PENDING"
            assert not (await wallet.melt(quote.quote_id)).paid
            mint.mint.decide(quote.quote_id, paid)
            with trio.fail_after(60):
                if paid:
                    assert (await wallet.waiting.melt(quote.quote_id, URL, 60)).state == "PAID"
                else:
                    with pytest.raises(MintError, match="failed"):
                        await wallet.waiting.melt(quote.quote_id, URL, 60)

    await waiting(tmp_path, silent, work)


async def test_nothing_is_opened_but_what_was_handed_in(tmp_path: Path) -> None:
    """A way that is shut stays shut: no other way is tried."""

    async def work(wallet: Wallet, mint: LiveMint) -> None:
        name = await unpaid(wallet, mint)
        mint.cut = httpx.ConnectError("no circuit")
        assert (await wallet.waiting.fund(name, URL, 0.1)).state == ""

    mint = await waiting(tmp_path, told("PAID"), work)
    assert mint.live == 1


async def test_the_websocket_travels_over_a_circuit() -> None:
    async with websocket_server(told("PAID")) as url:
        address = httpx.URL(url)
        exits = MintExit([(address.host, address.port or 0)])
        async with local_network(3, {Purpose.TCP: exits.serve}) as network:
            circuit = await network.circuit(0, 1, 2)

            async def circuit_for() -> ClientCircuit:
                return circuit

            transport = CircuitTransport(circuit_for)
            async with open_feed(url, transport, Topic.MINT_QUOTE, ["q"], 5) as feed:
                with trio.fail_after(60):
                    assert await feed.next() == News("q", "PAID")
                assert exits._open.total() == 1
            with trio.fail_after(60):
                while exits._open.total():
                    await trio.sleep(0.01)


# -- a real mint


@pytest.fixture(scope="module")
def slow_mint() -> Iterator[RealMint]:
    """Invoices are paid by somebody, not by themselves: its second start (the mint needs seconds)
    keeps the money of the first."""
    if not mint_available():
        pytest.skip("no .venv-mint: the real mint cannot be started here")
    with RealMint() as mint:
        yield mint


async def told_meanwhile(
    wait: Callable[[], Awaitable[Waited]], happens: Callable[[], Awaitable[object]]
) -> Waited:
    """How the wait ends that is under way when something happens."""
    ended: list[Waited] = []

    async def waiting() -> None:
        ended.append(await wait())

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiting)
            await trio.sleep(0.5)
            assert not ended
            await happens()
    return ended[0]


async def test_a_real_mint_tells(tmp_path: Path, slow_mint: RealMint) -> None:
    url = slow_mint.url
    async with a_wallet(tmp_path, "a", url, fund_sat=100) as alice:
        slow_mint.stop()
        slow_mint.settings["FAKEWALLET_BRR"] = "FALSE"
        slow_mint.start()
        async with a_wallet(tmp_path, "b", url) as bob:
            assert all(bob._mints.tells(url, topic) for topic in Topic)
            quote = await bob.request_mint(url, 30)
            pay = await alice.melt_quote(url, quote.invoice)
            paid = await told_meanwhile(
                lambda: bob.waiting.fund(quote.quote_id, url, 60), lambda: alice.melt(pay.quote_id)
            )
            assert paid == Waited("PAID", live=True)
            assert await bob.complete_mint(quote.quote_id) == 30
            assert (await alice.waiting.melt(pay.quote_id, url, 9)).state == "PAID"

            token = await alice.send(url, 7)
            (sent,) = await alice.sent_tokens()
            taken = await told_meanwhile(
                lambda: alice.waiting.sent(sent.op_id, 60), lambda: bob.receive(token)
            )
            assert taken == Waited("taken", live=True)
        await over_circuits(tmp_path, alice, slow_mint)


async def over_circuits(folder: Path, payer: Wallet, mint: RealMint) -> None:
    """The same, with everything of the payee's on a circuit of three relays."""
    exits = MintExit([("127.0.0.1", mint.port)])
    async with local_network(3, {Purpose.TCP: exits.serve}) as network:
        circuit = await network.circuit(0, 1, 2)

        async def circuit_for() -> ClientCircuit:
            return circuit

        store = await open_store(folder, "c")
        carol = Wallet(store, lambda _url: CircuitTransport(circuit_for))
        await carol.open()
        await carol.add_mint(mint.url)
        quote = await carol.request_mint(mint.url, 20)
        pay = await payer.melt_quote(mint.url, quote.invoice)
        paid = await told_meanwhile(
            lambda: carol.waiting.fund(quote.quote_id, mint.url, 60),
            lambda: payer.melt(pay.quote_id),
        )
        assert paid == Waited("PAID", live=True)
        assert await carol.complete_mint(quote.quote_id) == 20
        await carol.aclose()
        await store.aclose()
