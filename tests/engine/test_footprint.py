"""What a node gives back when its start is over, and what a relay does not load at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.footprint import clean_file_mappings, return_start_up_memory
from engine.version import VERSION
from tests.helpers.patience import PATIENCE_S

_TAIL = "VmFlags: rd mr mw me sd\n"


def mapping(rights: str, path: str, *, anonymous: int = 0, swap: int = 0) -> list[str]:
    inode = 1234 if path else 0
    return [
        f"7f0000000000-7f0000010000 {rights} 00001000 08:01 {inode} {path}\n",
        "Rss:                  64 kB\n",
        f"Anonymous:            {anonymous} kB\n",
        f"Swap:                 {swap} kB\n",
        _TAIL,
    ]


@pytest.mark.parametrize(
    ("lines", "clean"),
    [
        (mapping("r-xp", "/usr/lib/libx.so"), True),
        (mapping("r--p", "/usr/lib/libx.so"), True),
        (mapping("r--p", "/usr/lib/libx.so", anonymous=4), False),  # relocations: ours alone
        (mapping("r--p", "/usr/lib/libx.so", swap=4), False),
        (mapping("rw-p", "/usr/lib/libx.so"), False),
        (mapping("r--s", "/usr/lib/libx.so"), False),
        (mapping("r-xp", ""), False),
        (mapping("r-xp", "[vdso]"), False),
    ],
)
def test_only_pages_that_are_in_a_file_as_they_are_may_go(lines: list[str], clean: bool) -> None:
    if "[" in lines[0]:
        lines[0] = lines[0].replace("1234", "0")
    around = mapping("rw-p", "/usr/lib/libx.so", anonymous=8)
    found = list(clean_file_mappings([*around, *lines, *around]))
    assert found == ([(0x7F0000000000, 0x7F0000010000)] if clean else [])


def _python(code: str) -> str:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_gave_its_pages_back_works_on_and_is_smaller() -> None:
    out = _python(
        "import engine.node, hashlib, re\n"
        "from engine.footprint import return_start_up_memory\n"
        "from tests.engine.crypto.support import Path4\n"
        "def rss():\n"
        "    return int(re.search(r'RssFile:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = rss()\n"
        "assert return_start_up_memory() > 10\n"
        "after = rss()\n"
        "path = Path4()\n"
        "assert path.backward(b'x')[:1] == b'x'\n"
        "print(before, after)\n"
    )
    before, after = map(int, out.split())
    assert after < before / 2


def test_where_the_system_tells_nothing_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.footprint

    monkeypatch.setattr(engine.footprint.gc, "freeze", lambda: None)
    monkeypatch.setattr(engine.footprint, "_SMAPS", Path("/nowhere"))
    assert return_start_up_memory() == 0


def test_a_relay_does_not_load_what_it_does_not_need() -> None:
    heavy = "asyncio", "anyio", "coincurve", "email", "httpx", "importlib.metadata", "textual"
    out = _python(f"import sys, engine.__main__; print(*(set({heavy}) & set(sys.modules)))")
    assert out.split() == []


def test_the_version_is_a_version() -> None:
    assert [part.isdigit() for part in VERSION.split(".")] == [True, True, True]
