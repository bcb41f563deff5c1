"""How exactly a relay keeps the tick of many shaped streams at once.

    python -m bench.relay_ticks --json

One relay (`python -m engine`, as in production) carries always-on circuits that a second process
opens: half of them end at the relay, which then keeps their clock, half pass through it to another
relay. Both ends of every circuit send a cell a tick. The error of a tick is how late a cell of the
way back arrives after its place on the circuit's own grid, which its most punctual cell fits; so
whatever the load and the other relay are late counts as the relay's. A tick left out counts as one
tick late.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio

from bench.ours import read_line, relay_adverts
from bench.processes import BenchError, Children, cpu_s, free_port, rss_mib

_ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 30.0
HOSTS = ("127.30.0.1", "127.31.0.1")
# A few clients open two thousand circuits within seconds: without these the relay would, rightly,
# ask for work.
LIMITS = (
    "[limits]\ncreate_rate = 10000\ncreate_burst = 100000\ncreate_cpu_percent = 90\n"
    "work_bits = 1\nwork_max_bits = 1\n"
)


def _start_relay(children: Children, home: Path, host: str) -> subprocess.Popen[str]:
    home.mkdir()
    (home / "config.toml").write_text(
        f'roles = ["relay"]\n[store]\nkey_file = "{home / "key"}"\n'
        f'[link]\nlisten = "{host}:{free_port(host)}"\n'
        f"[network]\ntest_network = true\n{LIMITS}"
    )
    relay = children.start(
        [sys.executable, "-m", "engine", "--home", home], log=home / "errors", cwd=_ROOT
    )
    read_line(relay, START_TIMEOUT_S, "ready")
    return relay


def run(streams: int, tick_ms: int, seconds: float) -> dict[str, object]:
    """Start the relays and the load; the figures of the relay under measurement."""
    with tempfile.TemporaryDirectory(prefix="ticks-") as name, Children() as children:
        folder = Path(name)
        homes = [folder / "relay", folder / "far"]
        relay, _far = (
            _start_relay(children, home, host) for home, host in zip(homes, HOSTS, strict=True)
        )
        adverts = anyio.run(relay_adverts, homes)
        settings = map(str, (streams, tick_ms, seconds))
        load = children.start(
            [sys.executable, "-m", "bench.relay_ticks_load", *adverts, *settings],
            log=folder / "load.log",
            cwd=_ROOT,
        )
        read_line(load, 60.0 + streams / 20, "running")
        before, load_before = cpu_s([relay.pid]), cpu_s([load.pid])
        found = json.loads(read_line(load, seconds + 60.0, "{"))
        return {
            **found,
            "relay_cpu_share": (cpu_s([relay.pid]) - before) / found["seconds"],
            "load_cpu_share": (cpu_s([load.pid]) - load_before) / found["seconds"],
            "relay_rss_mib": rss_mib(relay.pid),
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.relay_ticks", description="Measure a relay's shaping clock."
    )
    parser.add_argument("--streams", type=int, default=2_000, help="shaped streams (2000)")
    parser.add_argument("--tick-ms", type=int, default=125, help="their tick (125)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to measure (15)")
    parser.add_argument("--quick", action="store_true", help="100 streams for 3 s: a smoke test")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main() -> int:
    """Measure and print; 1 when something did not work."""
    options = _parser().parse_args()
    streams, seconds = (100, 3.0) if options.quick else (options.streams, options.seconds)
    try:
        found = run(streams, options.tick_ms, seconds)
    except BenchError as error:
        print(f"The measurement failed: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{key:22} {value}" for key, value in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
