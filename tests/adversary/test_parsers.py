"""Malformed input on every parser: any bytes give a value or our own error, never anything else.

Parsers are found by importing the packages, not listed: a function is one when its name says so and
it takes bytes or text first. What takes more than that is in `MORE` with the rest of its arguments;
a parser that neither fits the rule nor stands there fails `test_no_parser_is_left_out`. Input is
noise, and the project's own test vectors with a few bytes changed, cut, doubled or put in.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import parse_config
from engine.control.events import EventBus
from engine.control.protocol.methods import METHODS
from engine.control.server import ControlServer
from engine.crypto.hop import ClientHop
from engine.crypto.link_cipher import LinkCipher
from engine.crypto.noise import HandshakeState
from engine.crypto.packets import open_packet
from engine.crypto.suite import Suite
from engine.directory.contacts import parse_invite
from engine.errors import ConfigError, Peer2PromptError
from engine.exit.backends.sse import SseParser
from engine.exit.question import OPTIONS, read_question
from engine.identity import Identity
from engine.market.letter import read_letter
from engine.session.chat_foreign import read_any
from engine.session.files import pictures
from engine.wire import directory, messages, session
from engine.wire.advert import Advert
from engine.wire.cells import RECORD_BYTES
from engine.wire.create import parse_address
from engine.wire.directory_file import parse_directory
from engine.wire.link import LinkCredentials, LinkHandshake
from engine.wire.network import MAIN_NETWORK
from engine.wire.receipt import Receipt
from wallet.ecash import subscriptions
from wallet.ecash.curve import parse_hex
from wallet.ecash.errors import EcashError
from wallet.errors import WalletError

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "engine.wire",
    "engine.crypto",
    "engine.circuit",
    "engine.directory",
    "engine.mailbox",
    "engine.market",
    "engine.exit",
    "engine.session",
    "wallet.ecash",
)
ALONE = ("engine.config",)
NAME = re.compile(r"(parse|decode|load|open|read|split)(_[a-z0-9_]+)?$")
INPUT = re.compile(r"(bytes|bytearray|memoryview|str|Buffer)( \| (bytes|bytearray|memoryview))*$")
OURS = (Peer2PromptError, EcashError, WalletError)
NOW = 1_790_000_000
ABLE = frozenset({"embeddings", "images", "json", "reasoning", "tools"})
Parser = Callable[[Any], object]

WITHOUT_PARSERS = {
    "engine.wire.network": "a hash of a name",
    "engine.wire.schema": "checks of single fields, reached through every message",
}
NOT_FOR_PEERS = {
    "wallet.ecash.conditions:open_lock": "signs for a lock that was parsed",
    "engine.crypto.noise:parse_pattern": "names of patterns in our own code",
    "engine.crypto.client_layers:ClientLayers.open": "needs keys: tests/engine/crypto",
    "engine.crypto.layers:RelayLayer.open_terminal": "needs keys: tests/engine/crypto",
}
MORE: dict[str, Parser] = {
    "engine.crypto.packets:open_packet": lambda data: open_packet(bytes(32), 0, data),
    "engine.directory.contacts:parse_invite": lambda data: parse_invite(data, MAIN_NETWORK),
    "engine.exit.question:read_question": lambda data: read_question(data, ABLE, OPTIONS),
    "engine.session.chat_foreign:read_any": lambda data: read_any(data, NOW),
    "engine.market.letter:read_letter": lambda data: read_letter(data, 1),
    "engine.wire.advert:Advert.decode": lambda data: Advert.decode(data, NOW),
    "engine.wire.create:parse_address": lambda data: parse_address(data, 0),
    "engine.wire.directory_file:parse_directory": lambda data: parse_directory(data, NOW),
    "engine.wire.receipt:Receipt.decode": lambda data: Receipt.decode(data, bytes(32)),
    "wallet.ecash.curve:parse_hex": lambda data: parse_hex(data, 32),
    "wallet.ecash.subscriptions:read": lambda data: subscriptions.read(data, 1, "sub"),
}
"""Parsers that take more than their input."""


def found_in(module: ModuleType) -> Iterator[tuple[str, Callable[..., object]]]:
    """(name, function) of everything in a module that is a parser by name and first parameter."""
    for name, thing in vars(module).items():
        if inspect.isclass(thing) and thing.__module__ == module.__name__:
            for part in vars(thing):
                bound = getattr(thing, part, None)
                if inspect.ismethod(bound) and is_parser(part, bound):  # a class method
                    yield f"{module.__name__}:{name}.{part}", bound
            continue
        ours = getattr(thing, "__module__", "") == module.__name__ or inspect.ismethod(thing)
        if ours and inspect.isroutine(thing) and is_parser(name, thing):
            yield f"{module.__name__}:{name}", thing


def is_parser(name: str, function: Callable[..., object]) -> bool:
    if not NAME.match(name):
        return False
    parameters = list(inspect.signature(function).parameters.values())
    return bool(parameters) and bool(INPUT.match(str(parameters[0].annotation)))


def takes_one(function: Callable[..., object]) -> bool:
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    return len(required) == 1


def modules(package: str) -> list[ModuleType]:
    path = importlib.import_module(package).__path__
    names = [info.name for info in pkgutil.walk_packages(path, f"{package}.")]
    return [importlib.import_module(name) for name in names]


FOUND = {
    name: function
    for module in [
        *(module for package in PACKAGES for module in modules(package)),
        *(importlib.import_module(name) for name in ALONE),
    ]
    for name, function in found_in(module)
    if name not in NOT_FOR_PEERS
}
TEXT = {
    name
    for name, function in FOUND.items()
    if str(next(iter(inspect.signature(function).parameters.values())).annotation) == "str"
}


def hop_answer(data: bytes) -> object:
    return ClientHop.start(Suite.AES_256_GCM, bytes(32), b"\x09" + bytes(31))[0].finish(data)


def link_message_1(data: bytes) -> None:
    credentials = LinkCredentials.fresh(Identity.generate(), now=NOW)
    LinkHandshake.responder(credentials, now=NOW).read_message(data)


def link_message_2(data: bytes) -> None:
    credentials = LinkCredentials.fresh(Identity.generate(), now=NOW)
    handshake = LinkHandshake.initiator(credentials, Suite.AES_256_GCM, None, now=NOW)
    handshake.write_message()
    handshake.read_message(data)


def noise_message(data: bytes) -> None:
    HandshakeState("XX", initiator=False, static=bytes(31) + b"\x40").read_message(data)


def link_record(data: bytes) -> None:
    out = memoryview(bytearray(RECORD_BYTES - 16))
    record = memoryview(data[:RECORD_BYTES].ljust(RECORD_BYTES, b"\0"))  # a link reads no others
    LinkCipher(Suite.AES_256_GCM, bytes(32)).open_into(record, out)


def config_file(data: bytes) -> None:
    """As load_config does, without the file."""
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError("not TOML") from error
    parse_config(Path("/"), values, base=Path("/"))


BY_HAND: dict[str, Parser] = {
    "hop: CREATED payload": hop_answer,
    "link: message 1": link_message_1,
    "link: message 2": link_message_2,
    "link: a record": link_record,
    "noise: a message": noise_message,
    "config: a file": config_file,
    "session stream of a client": lambda data: session.MessageReader(from_client=True).feed(data),
    "session stream of a ghost": lambda data: session.MessageReader(from_client=False).feed(data),
    "directory stream, asked": lambda data: directory.reader(serving=True).feed(data),
    "directory stream, asking": lambda data: directory.reader(serving=False).feed(data),
    "a picture to send": pictures.clean,
    "provider's event stream": lambda data: SseParser().feed(data),
}
"""What parses as part of a state: a stream, a handshake, a file."""
EVERY: dict[str, Parser] = {
    **{name: function for name, function in FOUND.items() if takes_one(function)},
    **MORE,
    **BY_HAND,
}


def strings_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings_in(part)


def vectors() -> Iterator[str]:
    for folder in (ROOT / "docs" / "vectors", ROOT / "tests" / "vectors"):
        for file in sorted(folder.glob("*.json")):
            yield from strings_in(json.loads(file.read_text()))


def samples() -> tuple[list[bytes], list[str]]:
    """The bytes and the texts of the project's test vectors, each once."""
    texts = {text for text in vectors() if len(text) <= 16_384}
    is_hex = re.compile(r"([0-9a-f]{2})+")
    raw = {bytes.fromhex(text) for text in texts if is_hex.fullmatch(text)}
    return sorted(raw | {text.encode() for text in texts}), sorted(texts)


SAMPLES, SAMPLE_TEXTS = samples()
NASTY = ["h:²", "h:٣", "h:" + "9" * 5_000, "[::1]:+1", "1_0:1_0", "\0", "\ud800", "é" * 99, "-0"]
"""What int(), isdigit() and the like take for something that it is not."""


@st.composite
def spoiled(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A sample with up to three changes."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(["set", "cut", "put", "double"]))
        if change == "set" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif change == "cut":
            del data[at : at + draw(st.integers(1, 8))]
        elif change == "put":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        else:
            data[at:at] = data[max(0, at - 16) : at]
    return bytes(data)


def understood(parser: Parser, inputs: list[Any]) -> list[Any]:
    """The samples that this parser takes: the best to spoil."""
    taken = []
    for sample in inputs:
        try:
            parser(sample)
        except OURS:
            continue
        taken.append(sample)
    return taken


def in_words(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("name", EVERY)
def test_any_input_is_a_value_or_our_error(name: str) -> None:
    """Adversary: a peer, file or program that sends anything. Pass: the parser returns, or raises
    an error of ours with a sentence in it."""
    parser = EVERY[name]
    if name in TEXT:
        for text in NASTY:
            understood(parser, [text])
        good = [text.encode() for text in understood(parser, SAMPLE_TEXTS)]
        inputs = (
            st.text()
            | st.text("0123456789²٣:[].aé", max_size=12)
            | spoiled(good or SAMPLES).map(in_words)
        )
    else:
        inputs = st.binary(max_size=2_100) | spoiled(understood(parser, SAMPLES) or SAMPLES)

    @settings(max_examples=settings().max_examples)
    @given(inputs)
    def fuzz(data: object) -> None:
        try:
            parser(data)
        except OURS as error:
            assert str(error)  # noqa: PT017 - any of our errors will do, nothing else may come out

    fuzz()


def test_no_parser_is_left_out() -> None:
    """A new codec must be fuzzed: a parser with more parameters than its input belongs in MORE, a
    module of engine.wire without a parser in WITHOUT_PARSERS, with the reason."""
    missing = {name for name, function in FOUND.items() if not takes_one(function)} - set(MORE)
    assert not missing, f"add to MORE: {sorted(missing)}"
    assert set(MORE) <= set(FOUND)
    covered = {name.partition(":")[0] for name in FOUND}
    by_state = {messages.__name__}  # MessageReader: in BY_HAND through session and directory
    silent = {m.__name__ for m in modules("engine.wire")} - covered - by_state
    assert silent == set(WITHOUT_PARSERS)
    assert len(FOUND) > 30


@pytest.mark.trio
async def test_any_line_on_the_control_socket_is_answered(tmp_path: Path) -> None:
    """Adversary: a program of the same user that writes anything to the node's socket, and calls
    every method with parameters of the wrong kind. Pass: each line gets one answer, none of them an
    internal error, and the connection goes on."""
    path = tmp_path / "socket"
    hello = b'{"id":1,"method":"hello","params":{"protocol":1,"client":"test"}}'
    wrong: list[object] = [None, [], "x", {"x": 1}, {"id": []}, {"text": 5, "session": {}}, 7]
    lines = [
        b"{}",
        b"[" * 5_000,
        b'{"id":"x"}',
        b"\xff\xfe",
        b'{"id":1,"method":"x","params":null}',
        b"\0" * 300,
        *(
            json.dumps({"id": 9, "method": method, "params": params}).encode()
            for method in METHODS
            for params in wrong
        ),
    ]

    async def handler(_params: dict[str, Any]) -> object:
        return None

    answers: list[dict[str, Any]] = []
    async with trio.open_nursery() as nursery:
        server = ControlServer(path, dict.fromkeys(METHODS, handler), EventBus())
        await nursery.start(server.run)
        async with await trio.open_unix_socket(str(path)) as stream:
            nursery.start_soon(stream.send_all, b"".join(line + b"\n" for line in [hello, *lines]))
            received = b""
            with trio.fail_after(60):
                while received.count(b"\n") < len(lines) + 1:
                    received += await stream.receive_some()
        answers = [json.loads(line) for line in received.splitlines()]
        nursery.cancel_scope.cancel()
    assert all(("error" in answer) != ("result" in answer) for answer in answers)
    assert not any((a.get("error") or {}).get("code") == "internal" for a in answers)
    assert sum("error" in answer for answer in answers) > len(METHODS)
