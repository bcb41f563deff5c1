"""The operator's program: verdicts, and every way in which it can fail to give one."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
import trio

from engine.exit.moderation.command import Command
from tests.engine.exit.moderation.judged import question

pytestmark = pytest.mark.trio


def program(folder: Path, body: str) -> list[str]:
    path = folder / "judge"
    path.write_text(f"#!{sys.executable} -I\nimport json, os, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path), "--strict"]


async def verdict(folder: Path, body: str, timeout_s: float = 30, refused: str = "hate") -> str:
    gate = Command(program(folder, body), [refused], timeout_s)
    found = await gate(question("SECRET words"))
    assert found is None or "SECRET" not in found.message
    assert gate.failures == (found is not None and "could not check" in found.message)
    return "" if found is None else f"{found.code} {found.message}"


async def test_it_reads_the_question_and_says_yes(tmp_path: Path) -> None:
    body = "body = json.load(sys.stdin)\n"
    body += "sys.exit(0 if body['messages'][0]['content'] == 'SECRET words' else 1)"
    assert await verdict(tmp_path, body) == ""


async def test_it_may_say_yes_without_reading(tmp_path: Path) -> None:
    assert await verdict(tmp_path, "") == ""


@pytest.mark.parametrize(
    "body",
    [
        "sys.exit(1)",
        "print(json.dumps({'refused': True}))",
        "print(json.dumps({'categories': ['hate/threatening']}))",
    ],
)
async def test_it_says_no(body: str, tmp_path: Path) -> None:
    assert (await verdict(tmp_path, body)).startswith("moderated")


async def test_other_categories_are_no_matter(tmp_path: Path) -> None:
    assert await verdict(tmp_path, "print(json.dumps({'categories': ['sexual']}))") == ""


@pytest.mark.parametrize(
    "body",
    [
        "sys.exit(3)",
        "print('fine')",
        "print('[]')",
        "print(json.dumps({'refused': 'no'}))",
        "print(json.dumps({'categories': 'hate'}))",
        "print(json.dumps({'categories': [1]}))",
        "sys.stdout.write('x' * 1_000_000)",
        "os.kill(os.getpid(), 9)",
    ],
)
async def test_without_a_verdict_the_answer_is_no(body: str, tmp_path: Path) -> None:
    assert "could not check" in await verdict(tmp_path, body)


async def test_its_memory_is_bounded(tmp_path: Path) -> None:
    body = "b = bytearray(8 << 30)\nsys.exit(0)"
    assert (await verdict(tmp_path, body)).startswith("moderated")


async def test_a_missing_program_is_a_no(tmp_path: Path) -> None:
    gate = Command([str(tmp_path / "none")], [], 5)
    assert await gate(question("x")) is not None


async def test_it_gets_no_environment_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEER2PROMPT_SECRET", "x")
    body = "sys.exit(0 if set(os.environ) <= {'PATH', 'LANG', 'LC_CTYPE'} else 3)"
    assert await verdict(tmp_path, body) == ""


async def test_it_dies_with_all_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    body = f"""
child = os.fork()
if child == 0:
    time.sleep(60)
open({str(mark)!r}, 'w').write(str(child))
time.sleep(60)
"""
    assert "could not check" in await verdict(tmp_path, body, timeout_s=3)
    pid = int(mark.read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
            return
        await trio.sleep(0.05)
    raise AssertionError("a process of the moderation program is left")
