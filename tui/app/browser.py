"""Textual's driver for a browser, which ends with the server that started it."""

from __future__ import annotations

from textual import messages
from textual.drivers.web_driver import WebDriver


class VisitorDriver(WebDriver):
    """The end of its input, which a killed server leaves, ends the screen, too."""

    def run_input_thread(self) -> None:
        super().run_input_thread()
        self._app.post_message(messages.ExitApp())
