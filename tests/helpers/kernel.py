"""A real Jupyter kernel as a notebook's window sees it: cells in, outputs and updates out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

LIMIT_S = 120.0
"""Only ends a broken test."""


@dataclass
class Cell:
    """What one cell has shown so far. A display that is updated counts once, with its last form."""

    outputs: list[Mapping[str, str]] = field(default_factory=list)
    error: str = ""
    trace: str = ""
    _displays: dict[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(one.get("text/plain", "") for one in self.outputs)

    @property
    def html(self) -> list[str]:
        return [one["text/html"] for one in self.outputs if "text/html" in one]

    def take(self, kind: str, content: Mapping[str, Any]) -> None:
        if kind == "stream":
            self.outputs.append({"text/plain": content["text"]})
        elif kind == "error":
            self.error, self.trace = content["ename"], "\n".join(content["traceback"])
        elif kind in ("display_data", "execute_result", "update_display_data"):
            name = content.get("transient", {}).get("display_id", "")
            if kind == "update_display_data":
                self.outputs[self._displays[name]] = content["data"]
                return
            self._displays[name] = len(self.outputs)
            self.outputs.append(content["data"])


class Kernel:
    """One kernel; cells run one after the other."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager, self._client = manager, client

    def run(self, source: str, *, stop_when: Callable[[Cell], bool] | None = None) -> Cell:
        """Run a cell to its end; press stop as soon as it has shown what `stop_when` waits for."""
        asked = self._client.execute(source)
        cell, stopped = Cell(), False
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            try:
                message = self._client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return cell
            cell.take(kind, content)
            if stop_when is not None and not stopped and stop_when(cell):
                stopped = True
                self._manager.interrupt_kernel()
        raise AssertionError(f"the cell did not end; it showed {cell}")


@contextmanager
def running_kernel(env: Mapping[str, str]) -> Iterator[Kernel]:
    """A Python kernel with this environment, over sockets of files that nobody else can reach."""
    manager = KernelManager(kernel_name="python3", transport="ipc")
    manager.start_kernel(env=dict(env))
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=LIMIT_S)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
