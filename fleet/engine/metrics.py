"""Metrics that features register for Prometheus: families, and how their samples are read.

`monitoring` collects the `Metrics` of all features and serves them. Labels come from the code (kinds, states), never an
id, a name or a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fleet.core.db import Tx

SampleKey = tuple[str, tuple[str, ...]]
"""The name of a family, and the values of its labels in their order."""
Samples = dict[SampleKey, float]
Reading = Callable[[Tx], Iterable[tuple[SampleKey, float]]]
"""Reads gauges in a read-only transaction, within about 2 s and by indexes: every scrape calls it."""


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """One metric: its name, its help text, the names of its labels.

    A counter counts from the start of the exporter. `order` sorts families in the output; equal ones follow the order
    of features.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    is_counter: bool = False
    order: int = 100


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one feature: gauges come from `readings`, counters from events.

    `count(subject, kind)` returns the counter that an event adds to, if any. `zeros()` returns all counters: each
    begins at 0, because a rate over a counter that appears with its first count misses that count.
    """

    families: tuple[MetricFamily, ...]
    readings: tuple[Reading, ...] = ()
    count: Callable[[str, str | None], SampleKey | None] | None = None
    zeros: Callable[[], Iterable[SampleKey]] = tuple


def each(family: str, values: Iterable[str], found: Mapping[str, float]) -> Iterable[tuple[SampleKey, float]]:
    """Return a sample for each value of a label, 0 where none was found: an alert needs samples that stay."""
    return (((family, (str(value),)), found.get(str(value), 0)) for value in values)
