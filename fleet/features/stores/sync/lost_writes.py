"""Writes of stock whose reply was lost: did the shop take the number or not?

Such a job ends as skipped if an order or a person changed the number before the probe; Fleet's own number would then
count as a change in the shop, and be added to the catalogue again. If the probe found the number, the job is done; but
an order that left may have made it, whose units would leave a second time. Of a skipped batch the probe tells by the
majority of its numbers (fleet/adapters/vendure/stock.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.core.db import Tx
from fleet.features.stores.state import refs
from fleet.features.stores.state.context import StoreContext

_LOST = sa.text("""
SELECT DISTINCT ON (state.local_id) state.local_id, (state.base #>> '{}')::int AS base,
    (state.remote #>> '{}')::int AS remote, state.remote_at, job.finished_at, (change->>'quantity')::int AS quantity,
    (job.payload->>'at')::timestamptz AS at, own.since_write, own.since_base, job.state = 'done' AS is_found
FROM jobs job
CROSS JOIN LATERAL jsonb_array_elements(job.payload->'changes') AS change
JOIN field_states state ON state.account_id = :account_id AND state.local_id = (change->>'variant')::uuid
    AND state.field = change->>'field'
CROSS JOIN LATERAL (
    SELECT coalesce(sum(move.delta) FILTER (WHERE move.at > (job.payload->>'at')::timestamptz), 0)::int AS since_write,
        coalesce(sum(move.delta), 0)::int AS since_base
    FROM stock_movements move
    WHERE move.variant_id = state.local_id AND move.location_id = :place AND move.account_id = :account_id
        AND move.external_event IS NOT NULL AND move.at > state.base_at
) own
WHERE job.agent_id = :agent_id AND job.kind = 'set_stock'
    AND job.created_at >= (SELECT min(known.base_at) FROM field_states known WHERE known.account_id = :account_id
        AND known.field = :field AND known.local_id = ANY(:ids))
    AND (job.state IN ('skipped', 'dead') AND jsonb_array_length(job.payload->'changes') = 1
        OR job.state = 'done' AND job.result ? 'adopted')
    AND EXISTS (SELECT FROM job_attempts attempt WHERE attempt.job_id = job.id
        AND attempt.outcome IN ('unknown', 'lost'))
    AND state.field = :field AND state.local_id = ANY(:ids) AND jsonb_typeof(state.remote) = 'number'
    AND state.base_at <= (job.payload->>'at')::timestamptz
ORDER BY state.local_id, job.finished_at DESC
""").bindparams(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))


def settle(
    tx: Tx, context: StoreContext, field: str, place: uuid.UUID, variant_ids: Collection[uuid.UUID]
) -> frozenset[uuid.UUID]:  # fmt: skip
    """Take a number that the shop took as agreed, since the moment at which it was compared.

    The store's number tells, with the units that left with its orders: it is nearer to what it is with the write, or to
    what it is without. A number that the probe found is the write's, unless the orders explain it exactly. Return the
    variants that were not read since: they wait for the next reading.
    """
    found = tx.execute(_LOST, {
        "account_id": context.account_id, "agent_id": context.agent_id, "field": field, "place": place,
        "ids": list(variant_ids),
    }).all()  # fmt: skip
    states, unsure = [], set()
    for one in found:
        if one.remote_at < one.finished_at:
            unsure.add(one.local_id)
            continue
        with_it, without = one.remote - one.quantity - one.since_write, one.remote - one.base - one.since_base
        if abs(with_it) < abs(without) or (one.is_found and without != 0):
            states.append({"local_id": one.local_id, "field": field, "base": one.quantity, "remote": one.remote,
                           "remote_at": one.remote_at, "base_at": one.at})  # fmt: skip
    refs.save_states(tx, context.account_id, states)
    return frozenset(unsure)
