"""Gives back what only the start of a node needed: memory that was freed, and library code that
ran once.

Loading some hundred modules, opening the store and deriving its key leave freed memory with the
allocator and map library code that is never run again. Both are returned to the system once, when
the node serves. A code page that is needed after all is mapped in again from the system's cache of
files, at the cost of one short fault. Linux only; elsewhere, or where anything is not as expected,
nothing happens.
"""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_MADV_DONTNEED = 4
_SMAPS = Path("/proc/self/smaps")
# A mapping of a file: first address, end, rights (read-only), offset, device, inode, path.
_READ_ONLY_FILE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-[-x]p [0-9a-f]+ \S+ [1-9]\d* +/")
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")


def return_start_up_memory() -> int:
    """Call once, when start-up is over. Returns how many mappings of library code were let go."""
    gc.collect()
    gc.freeze()  # what lives now lives on: later collections need not walk, and dirty, all of it
    try:
        libc = ctypes.CDLL(None)
        libc.malloc_trim(ctypes.c_size_t(0))
        with _SMAPS.open(encoding="utf-8", errors="replace") as lines:
            clean = list(clean_file_mappings(lines))
    except (OSError, AttributeError):
        return 0
    for start, end in clean:
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
    return len(clean)


def clean_file_mappings(smaps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """(start, end) of the private read-only mappings of files that hold no page of our own.

    A page that was written (relocations) is ours alone and would be lost; the kernel counts it as
    anonymous, or as swap.
    """
    found: re.Match[str] | None = None
    for line in smaps:
        if _MAPPING.match(line):
            found = _READ_ONLY_FILE.match(line)
        elif line.startswith(("Anonymous:", "Swap:")) and line.split()[1] != "0":
            found = None
        elif line.startswith("VmFlags:") and found is not None:  # the last line of a mapping
            yield int(found[1], 16), int(found[2], 16)
