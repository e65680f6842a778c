-- T3 skip_tick: End a tick without a decision. No row if another worker has the lease.
-- calls by agent_id: agent_id uuid, tick_no bigint, token bigint, outcome jsonb, error text
-- returns: n
WITH calls AS ({calls})
UPDATE ticks
SET
    state = 'skipped',
    lease_until = NULL,
    decided_at = coalesce(:now, clock_timestamp()),
    outcome = calls.outcome,
    error = calls.error
FROM calls
WHERE ticks.agent_id = calls.agent_id
    AND ticks.tick_no = calls.tick_no
    AND ticks.lease_token = calls.token
    AND ticks.state = 'deciding'
RETURNING calls.n
