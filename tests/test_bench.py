"""The onion measurement: its arithmetic, a short run of it, and that it leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from bench.onion import KEYS, QUICK, medians, ratios, report
from bench.provider import delay_s, question
from bench.relay_ticks_load import lateness_ms
from tests.helpers.printed import printed

ROOT = Path(__file__).resolve().parent.parent


def values(scale: float) -> dict[str, float]:
    return dict.fromkeys((*KEYS, "one_way_p95"), scale)


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The machine was ten times slower in the second round: that must not show.
    ours, theirs = [values(1), values(10), values(3)], [values(2), values(20), values(3)]
    assert ratios(ours, theirs) == dict.fromkeys(KEYS, 0.5)
    assert medians(ours)["round_trip_p50"] == 3


def test_the_report_has_every_key_with_and_without_tor() -> None:
    names = ("ours", "tor", "tor_nodelay", "ratio_to_tor", "ratio_to_tor_nodelay")
    alone = report({"ours": [values(1)]}, QUICK, [])
    assert [alone[name] is None for name in names] == [False, True, True, True, True]
    beside = report(
        {"ours": [values(1)], "tor": [values(2)], "tor_nodelay": [values(4)]}, QUICK, []
    )
    for name in names:
        found = beside[name]
        assert isinstance(found, dict)
        assert set(KEYS) <= set(found)


def test_a_question_names_its_delay() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": question(65)}]}).encode()
    assert delay_s(body) == 0.065


def test_a_short_run_prints_one_object() -> None:
    found = printed("bench.onion", "--quick", "--json")
    assert all(found["ours"][key] > 0 for key in KEYS)
    assert found["rounds"] == 2


def test_a_few_shaped_streams_are_all_measured_through_one_relay() -> None:
    found = printed("bench.relay_ticks", "--streams", "20", "--seconds", "2", "--json")
    # How late the ticks are is the bench's to say: here other tests run beside it.
    assert found["streams"] == found["streams_open"] == 20
    assert found["error_p95_ms"] >= 0


def test_lateness_is_measured_from_the_circuits_own_grid() -> None:
    arrivals = [5.010, 5.125, 5.260, 5.375, 5.755]  # the first is late, two are left out
    assert [round(late) for late in lateness_ms(arrivals, 0.125)] == [10, 0, 10, 0, 5]


def test_ctrl_c_stops_every_process() -> None:
    bench = subprocess.Popen(
        [sys.executable, "-m", "bench.onion"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert bench.stderr is not None
    while "round 1" not in bench.stderr.readline():
        assert bench.poll() is None
    children = _children(bench.pid)
    assert len(children) == 6  # four relays, the client, the server
    bench.send_signal(signal.SIGINT)
    assert bench.wait(30) == 130
    bench.stderr.close()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]
