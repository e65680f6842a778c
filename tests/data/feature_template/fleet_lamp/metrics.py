"""The metric of lamps, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.core.db import Tx
from fleet.engine.metrics import MetricFamily, Metrics, SampleKey, each
from fleet_lamp import queries
from fleet_lamp.rules import COLOURS


def read(tx: Tx) -> Iterable[tuple[SampleKey, float]]:
    """Return the number of lamps by colour, 0 included."""
    return each("fleet_lamps", COLOURS, queries.lamps_by_colour(tx))


METRICS = Metrics((MetricFamily("fleet_lamps", "Lamps by the colour that they show", ("colour",)),), (read,))
