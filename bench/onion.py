"""The onion network beside Tor, on loopback: latency, throughput, CPU and memory.

    python -m bench.onion                      the network alone
    python -m bench.onion --with-tor --json    beside Debian's tor, one JSON object

Everything runs as separate processes, as in production. Rounds alternate between the networks, and
a ratio is the median of the rounds' own ratios, so that a machine that slows down slows both. Only
loopback is used, and everything that was started is stopped at the end, also on Ctrl+C.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

from bench.ours import Ours, read_line
from bench.processes import BenchError, Children, free_port
from bench.tor import TorNetwork, build_shim, find_tor, tor_version, wait_for_vote_window

KEYS = (
    "circuit_build_p50",
    "new_stream_p50",
    "round_trip_p50",
    "one_way_p50",
    "bulk_mb_per_s",
    "cpu_s_per_mb",
    "idle_relay_rss",
)
EXTRA_KEYS = ("one_way_p95",)
UNITS = {
    "circuit_build_p50": "ms",
    "new_stream_p50": "ms",
    "round_trip_p50": "ms",
    "one_way_p50": "ms",
    "one_way_p95": "ms",
    "bulk_mb_per_s": "MB/s",
    "cpu_s_per_mb": "s/MB",
    "idle_relay_rss": "MiB",
}
METHOD = (
    "ours: 4 relay processes (python -m engine) and a client process; hybrid post-quantum build",
    "tor: guard, middle, exit and client processes of a private TestingTorNetwork, one fixed path",
    "the same TCP server stands behind both exits; links are open before anything is measured",
    "circuit_build: all hops; new_stream: BEGIN to CONNECTED with the exit's own TCP connect",
    "round_trip: 50 bytes and back on an open stream; one_way: 50 bytes every 20 ms to the client",
    "cpu: all hops and the client, where our client process also contains the measuring program",
    "idle_relay_rss: median relay, idle, at the end of each round",
    "values are medians over the rounds; a ratio is the median of the rounds' own ratios",
)
TICK_US = 20_000
_MB = 1_000_000
_SETTLE_S = 0.3

Values = dict[str, float]


class Network(Protocol):
    """A network that can be measured."""

    name: str

    def build(self, count: int) -> list[float]: ...
    def streams(self, count: int) -> list[float]: ...
    def echo(self, count: int) -> list[float]: ...
    def ticks(self, count: int, interval_us: int) -> list[float]: ...
    def bulk(self, size: int) -> tuple[float, float]: ...
    def relay_rss(self) -> float: ...


@dataclass(frozen=True)
class Plan:
    """How much is measured in one round."""

    rounds: int
    builds: int = 15
    streams: int = 15
    echoes: int = 100
    ticks: int = 100
    bulk_mb: int = 24


QUICK = Plan(rounds=2, builds=5, streams=5, echoes=30, ticks=25, bulk_mb=8)


def measure(network: Network, plan: Plan) -> Values:
    """One round of one network."""
    build = network.build(plan.builds)
    streams = network.streams(plan.streams)
    echo = network.echo(plan.echoes)
    ticks = sorted(network.ticks(plan.ticks, TICK_US))
    seconds, cpu = network.bulk(plan.bulk_mb * _MB)
    time.sleep(_SETTLE_S)
    return {
        "circuit_build_p50": statistics.median(build),
        "new_stream_p50": statistics.median(streams),
        "round_trip_p50": statistics.median(echo),
        "one_way_p50": statistics.median(ticks),
        "one_way_p95": ticks[int(len(ticks) * 0.95)],
        "bulk_mb_per_s": plan.bulk_mb / seconds,
        "cpu_s_per_mb": cpu / plan.bulk_mb,
        "idle_relay_rss": network.relay_rss(),
    }


def medians(rounds: Sequence[Values]) -> Values:
    """Key by key over the rounds."""
    return {key: statistics.median(values[key] for values in rounds) for key in rounds[0]}


def ratios(ours: Sequence[Values], theirs: Sequence[Values]) -> Values:
    """Ours over theirs, paired by round."""
    pairs = list(zip(ours, theirs, strict=True))
    return {key: statistics.median(a[key] / b[key] for a, b in pairs) for key in KEYS}


def run(options: argparse.Namespace, plan: Plan) -> dict[str, object]:
    """Start the networks, measure them in turns, stop them."""
    notes = list(METHOD)
    with tempfile.TemporaryDirectory(prefix="onion-") as name, Children() as children:
        folder = Path(name)
        target = ("127.0.0.1", free_port("127.0.0.1"))
        _start_server(children, folder, target)
        say = _progress(options)
        say("starting the network")
        ours = Ours(children, folder / "ours", target)
        ours.start()
        networks: list[Network] = [ours]
        if options.with_tor:
            say("starting tor's private networks (some 15 s)")
            networks += _start_tor(children, folder, target, options.tor_option, notes)
        results: dict[str, list[Values]] = {network.name: [] for network in networks}
        for number in range(plan.rounds):
            # Who goes first changes from round to round.
            shift = number % len(networks)
            for network in networks[shift:] + networks[:shift]:
                say(f"round {number + 1} of {plan.rounds}: {network.name}")
                results[network.name].append(measure(network, plan))
    return report(results, plan, notes)


def report(results: dict[str, list[Values]], plan: Plan, notes: list[str]) -> dict[str, object]:
    """The object that --json prints."""
    found: dict[str, object] = dict.fromkeys(("ours", "tor", "tor_nodelay"))
    found.update({name: medians(rounds) for name, rounds in results.items()})
    for name, key in (("tor", "ratio_to_tor"), ("tor_nodelay", "ratio_to_tor_nodelay")):
        found[key] = ratios(results["ours"], results[name]) if name in results else None
    return {
        **found,
        "units": UNITS,
        "rounds": plan.rounds,
        "bulk_mb_each": plan.bulk_mb,
        "per_round": results,
        "method": notes,
    }


def _start_server(children: Children, folder: Path, target: tuple[str, int]) -> None:
    (folder / "ours").mkdir()
    server = children.start(
        [sys.executable, "-m", "bench.servers", target[0], str(target[1])],
        log=folder / "server.log",
        cwd=Path(__file__).resolve().parent.parent,
    )
    read_line(server, 20.0, "ready")


def _start_tor(
    children: Children,
    folder: Path,
    target: tuple[str, int],
    extra: Sequence[str],
    notes: list[str],
) -> list[TorNetwork]:
    if find_tor() is None:
        notes.append("tor is not installed here (Debian: apt-get install tor), so it was left out")
        return []
    notes.append(tor_version())
    notes.extend(f"tor option: {option}" for option in extra)
    networks = [TorNetwork(children, folder / "tor", target, first_net=20, options=extra)]
    try:
        shim = build_shim(folder)
    except BenchError as error:
        notes.append(str(error))
    else:
        networks.append(
            TorNetwork(children, folder / "nodelay", target, first_net=30, shim=shim, options=extra)
        )
    wait_for_vote_window()
    for network in networks:
        network.start()
    for network in networks:
        network.wait_ready()
    return networks


class _Say(Protocol):
    def __call__(self, text: str) -> None: ...


def _progress(options: argparse.Namespace) -> _Say:
    def say(text: str) -> None:
        if not options.json or sys.stderr.isatty():
            print(text, file=sys.stderr, flush=True)

    return say


def table(found: dict[str, object]) -> str:
    """The medians and ratios as text."""
    columns = ["ours", "tor", "tor_nodelay", "ratio_to_tor", "ratio_to_tor_nodelay"]
    shown = [column for column in columns if found[column] is not None]
    lines = ["".join([f"{'':26}", *(f"{column:>22}" for column in shown)])]
    for key in (*KEYS, *EXTRA_KEYS):
        cells = []
        for column in shown:
            values = found[column]
            value = values.get(key) if isinstance(values, dict) else None
            cells.append(f"{value:22.4g}" if value is not None else f"{'':22}")
        lines.append(f"{key + ' ' + UNITS[key]:26}" + "".join(cells))
    notes = found["method"]
    if isinstance(notes, list):
        lines += ["", *(f"  {note}" for note in notes)]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.onion", description="Measure the onion network, also beside Tor."
    )
    parser.add_argument("--with-tor", action="store_true", help="also measure Debian's tor")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each network (5)")
    parser.add_argument("--quick", action="store_true", help="two short rounds: a smoke test")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--tor-option",
        action="append",
        default=[],
        metavar="LINE",
        help="a further line for every torrc, to see what a setting changes",
    )
    return parser


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """Measure and print; 130 when interrupted, 1 when something did not work."""
    options = _parser().parse_args()
    plan = QUICK if options.quick else Plan(rounds=max(1, options.rounds))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        found = run(options, plan)
    except BenchError as error:
        print(f"The measurement failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything that was started is stopped.", file=sys.stderr)
        return 130
    print(json.dumps(found) if options.json else table(found))
    return 0


if __name__ == "__main__":
    # `python bench/onion.py` works as well as `python -m bench.onion`.
    sys.exit(main())
