"""The results of a campaign's variants: counts, means, and the interval of each difference to the first variant.

Posts are compared at the same age, as the feature experiments reads them ("publishing.readings"); its statistics say
when there is too little to compare (`fleet.engine.points.effect_size`).
"""

from __future__ import annotations

import statistics
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.points import effect_size
from fleet.engine.points.effect_size import EffectInterval, EffectVerdict, Sample
from fleet.features.campaigns.models import CampaignRow, ContentItemRow
from fleet.features.campaigns.stages import publication
from fleet.features.campaigns.states import ItemState

READINGS = "publishing.readings"
"""`readings(tx, post_jobs, age_h) -> {job: count}`: likes and comments of posts at an age, without those of agents."""
ENOUGH = effect_size.LEAST_FOR_AN_INTERVAL
_ONE = ContentItemRow


@dataclass(frozen=True, slots=True)
class ArmResult:
    """A variant: how many items have it, how many are published and measured, and how it compares with the first."""

    name: str
    message: str
    items: int
    published: int
    measured: int
    mean: float | None
    verdict: EffectVerdict
    interval: EffectInterval | None

    @property
    def words(self) -> str:
        """The verdict as a sentence."""
        match self.verdict:
            case EffectVerdict.REFERENCE:
                return "The others are compared with it."
            case EffectVerdict.NOT_ENOUGH:
                return f"Not enough data: {ENOUGH} measured posts of both are needed, with counts that differ."
            case EffectVerdict.NO_DIFFERENCE:
                return "No difference can be seen: the interval contains 0."
            case EffectVerdict.MORE:
                return "More likes and comments."
        return "Fewer likes and comments."


def results(tx: Tx, campaign: CampaignRow, *, age_h: int) -> list[ArmResult]:
    """Return the results of the variants of a campaign at an age of its posts, in hours."""
    if not campaign.variants:
        return []
    query = sa.select(_ONE).where(
        _ONE.campaign_id == campaign.id, _ONE.arm != "", _ONE.state.not_in((ItemState.CANCELLED, ItemState.REJECTED))
    )
    rows = tx.session.scalars(query).all()
    found = _readings(tx, [row for row in rows if row.remote_ids], age_h)
    return compared(campaign.variants, rows, found)


def compared(
    variants: Sequence[Mapping[str, str]], rows: Sequence[ContentItemRow], readings: Mapping[uuid.UUID, int]
) -> list[ArmResult]:
    """Compare the items of variants with those of the first one. `readings` are counts by item."""
    of_arm = {one["name"]: [row for row in rows if row.arm == one["name"]] for one in variants}
    counts = {name: [readings[row.id] for row in found if row.id in readings] for name, found in of_arm.items()}
    samples = [
        Sample(len(one), statistics.fmean(one) if one else 0.0, statistics.variance(one) if len(one) > 1 else 0.0)
        for one in counts.values()
    ]
    return [
        ArmResult(
            one["name"], one.get("message") or one.get("topic", ""), len(of_arm[one["name"]]),
            sum(bool(row.remote_ids) for row in of_arm[one["name"]]),
            sample.units, sample.mean if sample.units else None, effect.verdict, effect.interval,
        )
        for one, sample, effect in zip(variants, samples, effect_size.compare(samples, enough=ENOUGH), strict=True)
    ]  # fmt: skip


def _readings(tx: Tx, rows: Sequence[ContentItemRow], age_h: int) -> dict[uuid.UUID, int]:
    """Return the counts of items, of all their parts together; an item with a part that was not read is left out."""

    def counts(jobs: list[uuid.UUID]) -> dict[uuid.UUID, int]:
        found: dict[uuid.UUID, int] = {}
        for readings in registry.current().extensions(READINGS):
            found |= readings(tx, jobs, age_h)
        return found

    parts = publication.counted(rows, counts)
    known = {item_id: [one for one in found if one is not None] for item_id, found in parts.items()}
    return {item_id: sum(found) for item_id, found in known.items() if len(found) == len(parts[item_id])}
