"""A process with the node's log: what its libraries, warnings and crashes leave behind."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.log.events import NodeFailed
from engine.log.settings import LogSettings, parse_log, under_journal
from engine.log.setup import LineForm, Repeats
from engine.log.words import Fault
from engine.settings_table import Table
from tests.helpers.patience import PATIENCE_S

SECRET = "quuxleekmark"
PROGRAM = f"""
import asyncio, gc, logging, os, sys, threading, warnings
from pathlib import Path, PosixPath
from engine.log import say
from engine.log.events import ApiOpened, NodeFailed, SessionClosed
from engine.log.events import NodeFailed
from engine.log.settings import LogSettings
from engine.log.setup import set_up
from engine.log.words import Code, Fault
from engine.log.events_client import CreditWaits

set_up(LogSettings(**eval(sys.argv[2])), Path(sys.argv[1]), os.environ)
say(ApiOpened()); say(SessionClosed())
for name in ("json.tool", "hypercorn.error", "asyncio", "{SECRET}"):
    logging.getLogger(name).error("POST https://%s/v1/swap", "{SECRET}", exc_info=True)
logging.getLogger("httpx").info("{SECRET}")
warnings.warn("{SECRET}")

class Peer(Exception):
    code = "peer_code"
    def __init__(self):
        super().__init__("{SECRET}")
        self.code = "{SECRET}"

say(CreditWaits(Code.of(Peer())))
secret = "{SECRET}"
def run(): raise ValueError(secret)
thread = threading.Thread(target=run); thread.start(); thread.join()

class Bad:
    def __del__(self): raise OSError(secret)
Bad(); gc.collect()
try:
    raise ExceptionGroup(secret, [KeyError(secret), RuntimeError(secret)])
except Exception as error:
    say(NodeFailed(Fault.of(error)))
for _ in range(50): say(ApiOpened())
raise RuntimeError(secret)
"""


def run(home: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Its exit status is 1: it ends on an exception."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home), repr(settings)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_nothing_that_was_said_or_raised_gets_out(tmp_path: Path) -> None:
    done = run(tmp_path, form="json", level="debug")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    file = tmp_path / "log" / "node.log"
    text = file.read_text()
    assert SECRET not in text
    lines = [json.loads(line) for line in text.splitlines()]
    found = [(line["event"], line.get("library"), line.get("severity")) for line in lines]
    assert ("library_said", "json", "error") in found
    assert ("library_said", "asyncio", "error") in found
    assert ("library_said", "other", "error") in found
    faults = [line["fault"] for line in lines if line["event"] == "uncaught"]
    assert [fault.split()[0] for fault in faults] == ["ValueError", "OSError", "RuntimeError"]
    assert {
        "event": "credit_waits",
        "code": "peer_code",
        "level": "info",
        "area": "chat",
    }.items() <= (next(line for line in lines if line["event"] == "credit_waits").items())
    group = next(line for line in lines if line["event"] == "node_failed")
    assert group["fault"].split(", ")[0].startswith("KeyError")
    assert [line["event"] for line in lines].count("api_opened") == 1, "repeats are held back"
    assert any(line["event"] == "session_closed" for line in lines), "debug is wanted"
    assert any(line["event"] == "python_warned" for line in lines)


def test_a_file_is_private_and_put_aside_in_time(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "own.log"
    file.parent.mkdir()
    file.touch(mode=0o666)
    file.chmod(0o666)
    file.write_text("x" * 2_000)
    run(tmp_path, to="file", file=file, max_kib=1, keep=1)
    assert sorted(path.name for path in file.parent.iterdir()) == ["own.log", "own.log.1"]
    for path in file.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_under_systemd_lines_have_priorities_and_no_time(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    found = os.fstat(writer)
    done = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), "{}"],
        stderr=writer,
        env={**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
    )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().splitlines()
    done.wait(60)
    assert lines[0] == "<6>api: api_opened"
    assert "<6>chat: credit_waits code=peer_code" in lines
    assert any(line.startswith("<3>node: uncaught fault=") for line in lines)
    assert any(line.startswith("<4>node: python_warned") for line in lines)
    assert SECRET not in "".join(lines)
    assert not (tmp_path / "log").exists()


def test_a_line_that_comes_again_says_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("engine.log.setup.time.monotonic", lambda: now[0])
    repeats, form = Repeats(), LineForm("text")

    def record(fault: str) -> logging.LogRecord:
        made = logging.LogRecord("peer2prompt.node", 40, "", 0, fault, None, None)
        made.peer2prompt_event = NodeFailed(Fault.of(ValueError() if fault else KeyError()))
        made.created = 0
        return made

    assert repeats.filter(record("one"))
    assert repeats.filter(record(""))
    for _ in range(7):
        assert not repeats.filter(record("one"))
    now[0] += 61
    again = record("one")
    assert repeats.filter(again)
    line = "1970-01-01T00:00:00Z ERROR node node_failed fault=ValueError repeated=7"
    assert form.format(again) == line
    assert not repeats.filter(record("one"))
    now[0] += 61
    other = record("")
    assert repeats.filter(other), "the minute of this one is over"
    first = "1970-01-01T00:00:00Z ERROR node node_failed fault=ValueError repeated=1"
    second = "1970-01-01T00:00:00Z ERROR node node_failed fault=KeyError"
    assert form.format(other) == f"{first}\n{second}", "what came no more is told with the next"
    now[0] += 61
    assert repeats.filter(last := record("one"))
    assert form.format(last).count("\n") == 0, "and only once"


def test_where_it_broke_is_shown_when_debugging(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), "{}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "PEER2PROMPT_DEBUG": "1"},
    )
    assert done.stderr.splitlines()[-1] == "RuntimeError"
    assert SECRET not in done.stderr


def test_standard_error_is_not_the_journal_by_mere_claim() -> None:
    assert not under_journal({"JOURNAL_STREAM": "1:2"})
    assert not under_journal({})


def test_settings(tmp_path: Path) -> None:
    assert parse_log(Table({}, "log."), tmp_path) == LogSettings()
    table = Table({"to": "x/own.log", "format": "json", "level": "debug"}, "log.")
    found = parse_log(table, tmp_path)
    assert (found.to, found.file) == ("file", tmp_path / "x/own.log")
    for wrong in ({"format": "xml"}, {"level": "identities"}, {"max_kib": 0}, {"keep": -1}):
        with pytest.raises(Exception, match=r"log\."):
            parse_log(Table(wrong, "log."), tmp_path)
