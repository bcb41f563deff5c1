"""Signals in each stage of a demo: while threads wait, while a loop runs, while it stops."""

from __future__ import annotations

import os
import signal

import anyio
import pytest

from tui.demo.errors import Stopped
from tui.demo.signals import SIGNALS, StopSignals


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_threads_wait_is_an_exception(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped), StopSignals():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("where", ["the work", "a task beside it"])
def test_a_signal_in_the_middle_of_an_event_loop_comes_out_bare_and_silent(
    where: str, capfd: pytest.CaptureFixture[str]
) -> None:
    cleaned: list[str] = []

    async def beside() -> None:
        if where != "the work":
            interrupt()
        await anyio.sleep_forever()

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beside)
            if where == "the work":
                interrupt()
            try:
                await anyio.sleep_forever()
            finally:
                cleaned.append(where)

    with StopSignals() as signals, pytest.raises(Stopped):
        signals.run(work)
    assert cleaned == [where]
    assert capfd.readouterr() == ("", "")


def test_a_signal_just_before_the_end_of_a_loop_is_not_lost() -> None:
    async def work() -> int:
        interrupt()
        return 1

    with StopSignals() as signals, pytest.raises(Stopped):
        signals.run(work)


def test_what_a_loop_returns_or_raises_comes_out() -> None:
    async def work(fails: bool) -> int:
        if fails:
            raise LookupError
        return 7

    with StopSignals() as signals:
        assert signals.run(work, False) == 7
        with pytest.raises(LookupError):
            signals.run(work, True)


def test_while_it_stops_a_signal_only_hurries() -> None:
    hurried: list[int] = []
    with StopSignals() as signals:
        with pytest.raises(Stopped):
            interrupt()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as a screen leaves it
        signals.only_hurry(lambda: hurried.append(1))
        for number in SIGNALS:
            os.kill(os.getpid(), number)
    assert hurried == [1, 1, 1]
