"""How long tests wait for what is sure to come.

One number for processes, terminals and sockets: it only ends a broken test, so it is far above what
the slowest and busiest machine needs. What is waited for is looked at often; a good run never
notices it.
"""

from __future__ import annotations

PATIENCE_S = 300.0
