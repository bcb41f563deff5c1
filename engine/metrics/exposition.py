"""A snapshot in the text format that Prometheus reads; its own registry, so that nothing else that
the library knows how to tell (processes, Python's version) gets in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from engine.metrics.families import PREFIX, Family
from engine.metrics.snapshot import Told

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition(told: Iterable[Told], version: str) -> bytes:
    """The whole page."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Page(list(told), version))
    return generate_latest(registry)


class _Page:
    """What the library calls a collector."""

    def __init__(self, told: list[Told], version: str) -> None:
        self._told = told
        self._version = version

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(f"{PREFIX}info", "The program.", labels=["version"])
        info.add_metric([self._version], 1)
        yield info
        for family, members in groupby(self._told, key=lambda one: one.family):
            found = _metric(family)
            for one in members:
                found.add_metric(list(one.labels), one.value)
            yield found


def _metric(family: Family) -> GaugeMetricFamily | CounterMetricFamily:
    if family.kind == "gauge":
        return GaugeMetricFamily(PREFIX + family.name, family.meaning, labels=family.label_names)
    return CounterMetricFamily(PREFIX + family.name, family.meaning, labels=family.label_names)
