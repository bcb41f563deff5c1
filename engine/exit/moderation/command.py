"""A program of the operator's that reads a question on its standard input and judges it.

It gets the question's body (JSON, as the client sent it) and nothing else: an empty environment
but PATH and LANG, the root folder, no arguments but the operator's, no shell. It answers by its
exit code (0 yes, 1 no) or, with 0, by one JSON object {"refused": bool, "categories": [...]} on
standard output. Anything else, too long a time or too long an answer is a no. Its memory is bounded
where the system can do that (Linux); it dies with its whole process group.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import trio

from engine.exit.admission import Question
from engine.exit.categories import first_refused
from engine.exit.moderation.rules import refusal
from engine.market.commands import Refusal

MAX_OUTPUT = 64 << 10
MAX_MEMORY = 2 << 30
MAX_AT_ONCE = 8
MAX_CATEGORIES = 64
AFTER_S = 30
UNABLE = Refusal("The ghost could not check the question, so it does not answer it.", "moderated")
REFUSED = Refusal("The ghost's operator does not want this question answered.", "moderated")


class Unable(Exception):
    """The program gave no verdict."""


class Command:
    """A gate that runs one process for each question."""

    def __init__(self, argv: Sequence[str], refused: Sequence[str], timeout_s: float) -> None:
        self._argv = list(argv)
        self._refused = tuple(refused)
        self._timeout_s = timeout_s
        self._turns = trio.CapacityLimiter(MAX_AT_ONCE)
        self.failures = 0

    def __repr__(self) -> str:
        return "Command()"

    async def __call__(self, question: Question) -> Refusal | None:
        """The program's verdict; a refusal when it has none."""
        try:
            async with self._turns:
                code, output = await self._run(question.ask.body)
            if code == 1:
                return REFUSED
            if code != 0:
                raise Unable
            return self._judge(output)
        except (OSError, Unable):
            self.failures += 1
            return Refusal(UNABLE.message, UNABLE.code, AFTER_S)

    def _judge(self, output: bytes) -> Refusal | None:
        if not output.strip():
            return None
        verdict = _verdict(output)
        refused, categories = verdict.get("refused", False), verdict.get("categories", [])
        if not isinstance(refused, bool) or not isinstance(categories, list):
            raise Unable
        if not all(isinstance(name, str) for name in categories[:MAX_CATEGORIES]):
            raise Unable
        category = first_refused(self._refused, categories[:MAX_CATEGORIES])
        if category is not None:
            return refusal(category)
        return REFUSED if refused else None

    async def _run(self, question: bytes) -> tuple[int, bytes]:
        with trio.move_on_after(self._timeout_s):
            process = await trio.lowlevel.open_process(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                start_new_session=True,
            )
            try:
                _bound(process.pid)
                output = await _talk(process, question)
                return await process.wait(), output
            finally:
                await _end(process)
        raise Unable


async def _talk(process: trio.Process, question: bytes) -> bytes:
    output = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_feed, process, question)
        assert process.stdout is not None
        async with process.stdout:
            while data := await process.stdout.receive_some(MAX_OUTPUT):
                output += data
                if len(output) > MAX_OUTPUT:
                    break
        nursery.cancel_scope.cancel()
    if len(output) > MAX_OUTPUT:
        raise Unable
    return bytes(output)


async def _feed(process: trio.Process, question: bytes) -> None:
    assert process.stdin is not None
    with suppress(trio.BrokenResourceError):  # it has read as much as it wanted
        async with process.stdin:
            await process.stdin.send_all(question)


async def _end(process: trio.Process) -> None:
    """Nothing of it is left, whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with trio.CancelScope(shield=True):
        await process.wait()


def _bound(pid: int) -> None:
    if sys.platform == "linux":
        import resource

        with suppress(ProcessLookupError, PermissionError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _verdict(output: bytes) -> dict[str, Any]:
    try:
        found = json.loads(output)
    except (ValueError, RecursionError):
        raise Unable from None
    if not isinstance(found, dict):
        raise Unable
    return found
