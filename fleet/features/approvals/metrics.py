"""Metrics of requests for approval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fleet.core.db import Tx
from fleet.engine.metrics import MetricFamily, Metrics, SampleKey, each
from fleet.features.approvals import queries

_USUAL = ("draft", "job")
"""Resources that have a sample even without a waiting request; others have one once a request exists."""


def _pending(tx: Tx) -> Iterator[tuple[SampleKey, float]]:
    found: Counter[str] = Counter()
    for (resource, _), number in queries.pending_by_resource(tx).items():
        found[resource] += number
    yield from each("fleet_approvals_pending", sorted({*_USUAL, *found}), found)
    yield ("fleet_oldest_approval_seconds", ()), queries.oldest_pending_s(tx) if found else 0.0


METRICS = Metrics(
    families=(
        MetricFamily("fleet_approvals_pending", "Requests that wait for people", ("resource",), order=20),
        MetricFamily("fleet_oldest_approval_seconds", "How long the oldest of these requests has waited", order=20),
    ),
    readings=(_pending,),
)
