"""Metrics of drafts: counters of their events."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.engine.metrics import MetricFamily, Metrics, SampleKey
from fleet.features.drafts.states import SUBJECTS, DraftKind

_FAMILY = "fleet_draft_events_total"
_EVENTS = ("created", "approved", "rejected", "expired", "withdrawn", "revised", "sent_back")
_PROPOSED = {subject: kind for kind, subject in SUBJECTS.items()}


def _zeros() -> Iterator[SampleKey]:
    return ((_FAMILY, (str(kind), event)) for kind in DraftKind for event in _EVENTS)


def _count(subject: str, kind: str | None) -> SampleKey | None:
    """Return the counter of an event. The subject of a new draft names its kind, the payload of later events does."""
    if subject in _PROPOSED:
        return _FAMILY, (str(_PROPOSED[subject]), "created")
    prefix, _, event = subject.rpartition(".")
    known = prefix == "agent.draft" and event in _EVENTS and kind in set(DraftKind)
    return (_FAMILY, (str(kind), event)) if known else None


METRICS = Metrics(
    families=(MetricFamily(_FAMILY, "What happened to drafts", ("kind", "event"), is_counter=True, order=31),),
    count=_count,
    zeros=_zeros,
)
