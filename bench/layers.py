"""What a cell costs: onion layers, link records, handshakes. Run `python -m bench.layers`.

Prints microseconds per operation for both suites, best of three rounds over fresh buffers, as in
docs/protocol.md, section 11.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from time import perf_counter

from engine.crypto.hop import ClientHop
from engine.crypto.link_cipher import LinkCipher
from engine.crypto.suite import Suite
from tests.engine.crypto.support import Path4, Server, fresh_body

CELLS = 5_000
HANDSHAKES = 300
ROUNDS = 3


def _time(count: int, action: Callable[[int], object]) -> float:
    started = perf_counter()
    for index in range(count):
        action(index)
    return (perf_counter() - started) / count * 1e6


def _time_pairs(
    action: Callable[[memoryview, memoryview], None], now: list[memoryview], then: list[memoryview]
) -> float:
    return _time(len(now), lambda index: action(now[index], then[index]))


def _best(prepare: Callable[[], dict[str, float]]) -> dict[str, float]:
    rounds = [prepare() for _ in range(ROUNDS)]
    return {name: min(r[name] for r in rounds) for name in rounds[0]}


def layers(suite: Suite) -> dict[str, float]:
    """One cell through each of its operations."""
    path, region = Path4([suite] * 4), os.urandom(1_960)
    now, then = ([fresh_body() for _ in range(CELLS)] for _ in range(2))
    client, relays = path.client, path.relays
    result = {"client seal": _time(CELLS, lambda i: client.seal_into(region, now[i]))}
    for hop in range(3):
        result["relay forward"] = _time_pairs(relays[hop].open_forward_into, now, then)
        now, then = then, now
    result["exit open"] = _time(CELLS, lambda i: relays[3].open_terminal(now[i]))
    result["exit seal"] = _time(CELLS, lambda i: relays[3].seal_backward_into(region, now[i]))
    for hop in (2, 1, 0):
        result["relay backward"] = _time_pairs(relays[hop].add_backward_into, now, then)
        now, then = then, now
    result["client open"] = _time(CELLS, lambda i: client.open(now[i]))
    return result


def records(suite: Suite) -> dict[str, float]:
    """Link records."""
    key, cell = os.urandom(32), os.urandom(2_032)
    send, recv = LinkCipher(suite, key), LinkCipher(suite, key)
    sealed = [memoryview(bytearray(2_048)) for _ in range(CELLS)]
    out = memoryview(bytearray(2_032))
    return {
        "link seal": _time(CELLS, lambda i: send.seal_into(cell, sealed[i])),
        "link open": _time(CELLS, lambda i: recv.open_into(sealed[i], out)),
    }


def handshakes() -> dict[str, float]:
    """Hop handshakes."""
    server = Server()
    onion_public = server.onion_public
    started = [ClientHop.start(1, server.node_id, onion_public) for _ in range(HANDSHAKES)]
    answers: list[bytes] = []
    return {
        "client start": _time(
            HANDSHAKES, lambda _: ClientHop.start(1, server.node_id, onion_public)
        ),
        "hop answer": _time(HANDSHAKES, lambda i: answers.append(server.answer(started[i][1])[0])),
        "client finish": _time(HANDSHAKES, lambda i: started[i][0].finish(answers[i])),
    }


def main() -> None:
    for suite in Suite:
        figures = {**_best(partial(layers, suite)), **_best(partial(records, suite))}
        print(suite.name, " ".join(f"{name} {cost:.2f};" for name, cost in figures.items()))
    print("handshake", " ".join(f"{name} {cost:.0f};" for name, cost in _best(handshakes).items()))


if __name__ == "__main__":
    main()
