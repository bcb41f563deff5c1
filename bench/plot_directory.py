"""Growth of the directory's costs with its size: `python -m bench.plot_directory OUT.png FILE...`.

Each FILE is what `python -m bench.directory --nodes N --json` printed. Needs the extra `plots`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PANELS = (
    ("hops of a look-up", {"as deployed": "hops_mean", "Kademlia alone": "kademlia_hops_mean"}),
    (
        "questions of a look-up",
        {
            "as deployed": "requests_mean",
            "Kademlia alone": "kademlia_requests_mean",
            "30 % churn an hour": "churn_requests_mean",
        },
    ),
    (
        "bytes per node and hour",
        {"DHT, 30 % churn": "dht_bytes_per_node_hour", "gossip": "gossip_bytes_per_node_hour"},
    ),
)


def plot(results: list[dict[str, Any]], target: Path) -> None:
    """Draw one panel for each kind of cost."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    results.sort(key=lambda one: one["nodes"])
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(13, 3.8), layout="constrained")
    for axis, (title, lines) in zip(axes, PANELS, strict=True):
        for label, name in lines.items():
            points = [(one["nodes"], one[name]) for one in results if name in one]
            axis.plot(*zip(*points, strict=True), "o-", label=label)
        axis.set(title=title, xlabel="nodes", xscale="log")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(target, dpi=110)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    results = [json.loads(Path(name).read_text("utf-8")) for name in sys.argv[2:]]
    plot(results, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
