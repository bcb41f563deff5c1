"""Cells that wait for a link: their buffers, the queue of each circuit, and whose turn it is.

They leave round-robin, so one busy circuit cannot starve another. No I/O, and nothing is known here
of what a cell means.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence

from engine.wire.cells import CELL_BYTES, HEADER

BATCH_RECORDS = 32  # 64 KiB per system call: beyond that batches stop paying
FRESH_CELLS = BATCH_RECORDS // 2
CELL_COST = CELL_BYTES + 300  # bytes of memory for a queued cell, with the objects around it
SPARE_CELLS = 64  # buffers kept for reuse: a batch coming in and one going out

Holding = tuple[Hashable, int, int]
"""A queue, for the memory budget: its name, bytes that have left it, bytes that wait."""


class CellBuffer:
    """Room for one cell on its way out: the whole of it, and its body."""

    __slots__ = ("body", "data")

    def __init__(self) -> None:
        self.data = bytearray(CELL_BYTES)
        self.body = memoryview(self.data)[HEADER.size :]


_SPARE: list[CellBuffer] = []


def take_buffer() -> CellBuffer:
    """A buffer with any content: for cells whose header and body are written in full."""
    return _SPARE.pop() if _SPARE else CellBuffer()


def take_buffers(count: int) -> list[CellBuffer]:
    """As many buffers at once."""
    missing = count - len(_SPARE)
    if missing > 0:
        _SPARE.extend(CellBuffer() for _ in range(missing))
    taken = _SPARE[-count:]
    del _SPARE[-count:]
    return taken


def give_back(buffers: Sequence[CellBuffer]) -> None:
    """They have left: keep as many as the next batches need."""
    _SPARE.extend(buffers[: SPARE_CELLS - len(_SPARE)])


class CellQueue:
    """Cells of one circuit waiting on one link."""

    __slots__ = ("cells", "ready", "taken")

    def __init__(self) -> None:
        self.cells: deque[CellBuffer] = deque()
        self.ready = False
        self.taken = 0  # cells that have left, for the out-of-memory policy

    def holding(self, name: Hashable) -> Holding:
        """What it keeps of memory."""
        return name, self.taken * CELL_COST, len(self.cells) * CELL_COST


class Turns:
    """The queues of one link that have cells, in the order in which they may send."""

    __slots__ = ("_fresh", "_ready")

    def __init__(self) -> None:
        self._ready: deque[CellQueue] = deque()
        self._fresh: deque[CellQueue] = deque()  # came to life while the link was behind: first

    def join(self, queue: CellQueue, *, behind: bool) -> None:
        """Its first cell came; `behind`: others wait for the socket already."""
        queue.ready = True
        (self._fresh if behind else self._ready).append(queue)

    def clear(self) -> None:
        self._ready.clear()
        self._fresh.clear()

    def next_batch(self) -> list[CellBuffer]:
        """The cells that leave now: one of each waiting circuit in turn."""
        ready, fresh = self._ready, self._fresh
        if not fresh and len(ready) == 1 and len(ready[0].cells) <= BATCH_RECORDS:
            queue = ready.popleft()
            queue.ready = False
            batch = list(queue.cells)
            queue.taken += len(batch)
            queue.cells.clear()
            return batch
        batch = []
        if fresh:
            self._take_fresh(batch)
        while ready and len(batch) < BATCH_RECORDS:
            queue = ready.popleft()
            cells = queue.cells
            # A circuit that waits alone sends all it has; others take turns.
            share = 1 if ready else BATCH_RECORDS - len(batch)
            taken = min(share, len(cells))
            queue.taken += taken
            for _ in range(taken):
                batch.append(cells.popleft())
            if cells:
                ready.append(queue)
            else:
                queue.ready = False
        return batch

    def _take_fresh(self, batch: list[CellBuffer]) -> None:
        """A cell each of the circuits that seldom send, before those that always have one waiting.

        They have half of the batch; who sends more than that waits with the others.
        """
        ready, fresh = self._ready, self._fresh
        while fresh and len(batch) < FRESH_CELLS:
            queue = fresh.popleft()
            if queue.cells:
                queue.taken += 1
                batch.append(queue.cells.popleft())
            if queue.cells:
                ready.append(queue)
            else:
                queue.ready = False
        ready.extend(fresh)
        fresh.clear()
