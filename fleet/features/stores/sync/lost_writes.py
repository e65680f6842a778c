"""Writes of stock whose reply was lost, and which ended without a result: did the shop take the number or not?

Such a job ends as skipped: its probe found another number, because an order or a person changed it since, and the next
attempt found that the shop does not have the expected number any more. Without this step Fleet's own number would count
as a change that a person made in the shop, and would be added to the catalogue a second time. Of a batch with several
numbers the probe tells by their majority (fleet/adapters/vendure/stock.py), so this is about single ones.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.core.db import Tx
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import StoreContext

_UNSURE_FOR = "15 minutes"
"""After this time a number that fits neither case counts as what the shop has, whoever wrote it."""
_LOST = sa.text("""
SELECT DISTINCT ON (state.local_id) state.local_id, (state.base #>> '{}')::int AS base,
    (state.remote #>> '{}')::int AS remote, state.remote_at, job.finished_at, (change->>'quantity')::int AS quantity,
    (job.payload->>'at')::timestamptz AS at, own.until_reading, own.in_all, own.since_base,
    job.finished_at > clock_timestamp() - CAST(:unsure_for AS interval) AS is_recent
FROM jobs job
CROSS JOIN LATERAL jsonb_array_elements(job.payload->'changes') AS change
JOIN field_states state ON state.account_id = :account_id AND state.local_id = (change->>'variant')::uuid
    AND state.field = change->>'field'
CROSS JOIN LATERAL (
    SELECT coalesce(sum(move.delta) FILTER (WHERE move.at > (job.payload->>'at')::timestamptz
            AND move.at < state.remote_at), 0)::int AS until_reading,
        coalesce(sum(move.delta) FILTER (WHERE move.at > (job.payload->>'at')::timestamptz), 0)::int AS in_all,
        coalesce(sum(move.delta) FILTER (WHERE move.at < state.remote_at), 0)::int AS since_base
    FROM stock_movements move
    WHERE move.variant_id = state.local_id AND move.location_id = :place AND move.account_id = :account_id
        AND move.external_event IS NOT NULL AND move.at > state.base_at
) own
WHERE job.agent_id = :agent_id AND job.kind = 'set_stock' AND job.state IN ('skipped', 'dead')
    AND jsonb_array_length(job.payload->'changes') = 1
    AND EXISTS (SELECT FROM job_attempts attempt WHERE attempt.job_id = job.id
        AND attempt.outcome IN ('unknown', 'lost'))
    AND state.field = :field AND state.local_id = ANY(:ids) AND jsonb_typeof(state.remote) = 'number'
    AND state.base_at < (job.payload->>'at')::timestamptz
ORDER BY state.local_id, job.finished_at DESC
""").bindparams(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))


def settle(
    tx: Tx, context: StoreContext, field: str, place: uuid.UUID, variant_ids: Collection[uuid.UUID]
) -> frozenset[uuid.UUID]:  # fmt: skip
    """Take a number that the shop took as agreed, since the moment at which it was compared.

    Return the variants whose number does not tell yet: they wait for the next reading.
    """
    found = tx.execute(_LOST, {
        "account_id": context.account_id, "agent_id": context.agent_id, "field": field, "place": place,
        "ids": list(variant_ids), "unsure_for": _UNSURE_FOR,
    }).all()  # fmt: skip
    states, unsure = [], set()
    for one in found:
        if one.remote in (one.quantity + one.until_reading, one.quantity + one.in_all):
            states.append({"local_id": one.local_id, "field": field, "base": one.quantity, "remote": one.remote,
                           "remote_at": one.remote_at, "base_at": one.at})  # fmt: skip
        elif one.remote_at < one.finished_at or (one.is_recent and one.remote != one.base + one.since_base):
            unsure.add(one.local_id)
    refs.save_states(tx, context.account_id, states)
    return frozenset(unsure)
