"""A node's links as the control protocol shows them: sums over all of them, nobody's own."""

from __future__ import annotations

from dataclasses import asdict

from engine.control.protocol.circuits import LinkTraffic
from engine.link.manager import LinkManager


def describe_links(links: LinkManager) -> LinkTraffic:
    """All links of one half of the node together, the closed ones included."""
    counts = links.counts()
    return LinkTraffic(
        links=len(links.links),
        bytes_in=counts.bytes_in,
        bytes_out=counts.bytes_out,
        **asdict(counts),
    )
