"""A terminal that is gone swallows writes instead of stopping the screen."""

from __future__ import annotations

import os
import pty

from textual.drivers.headless_driver import HeadlessDriver
from textual.drivers.linux_driver import LinuxDriver

from tui.app.terminal import LosableFile, OutlivingDriver, outliving


def test_writes_to_a_lost_terminal_do_nothing() -> None:
    master, slave = pty.openpty()
    with open(slave, "w", encoding="utf-8") as real:
        file = LosableFile(real)
        assert file.write("seen") == 4
        file.flush()
        assert os.read(master, 4) == b"seen"
        os.close(master)
        for _ in range(100):
            file.write("lost" * 1000)
            file.flush()
        assert file.fileno() == slave
        os.dup2(os.open(os.devnull, os.O_WRONLY), slave)  # so that closing can flush


def test_only_the_terminal_driver_is_changed() -> None:
    assert outliving(HeadlessDriver) is HeadlessDriver
    assert outliving(LinuxDriver) is OutlivingDriver
