"""Who takes part in a demo, where each listens, and in which order they stop. Values only.

Every node has an address of its own /16, because path rules forbid two hops in one network. Six
relays, so that a path of three and the two ways back of an answer are apart and one may die.
"""

from __future__ import annotations

GPU = "gpu"
MAX_GHOSTS = 12
GHOSTS = ("ghost", *(f"ghost{n}" for n in range(2, MAX_GHOSTS + 1)))
RELAYS = tuple(f"relay{n}" for n in range(1, 7))
LISTENERS = {
    name: f"127.{n}.0.1" for n, name in enumerate((*RELAYS, GHOSTS[0], GPU, *GHOSTS[1:]), 1)
}
STOP_ORDER = (("client",), (*GHOSTS, GPU), RELAYS, ("mint", "provider"))


def listeners(ghosts: int, *, gpu: bool) -> tuple[str, ...]:
    """The nodes that others connect to, in a demo with so many ghosts."""
    return (*RELAYS, *GHOSTS[:ghosts], *([GPU] if gpu else []))
