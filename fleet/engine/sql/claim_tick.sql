-- T1 claim_tick: Lease a tick that is due, or whose lease has run out; return it with its agent and the holds in force.
-- `further` has the id, adapter and the agent's id of its further accounts.
-- No row where the tick is decided, skipped, or leased by another worker: the message was a duplicate.
-- calls by agent_id: agent_id uuid, tick_no bigint, lease_s float8
-- returns: n, token, due_at, asked_for, requested_by, now, holds, further, {agent}
WITH calls AS ({calls}),
claimed AS (
    UPDATE ticks
    SET
        state = 'deciding',
        lease_token = ticks.lease_token + 1,
        lease_until = coalesce(:now, clock_timestamp()) + calls.lease_s * interval '1 second',
        publishes = 0
    FROM calls
    WHERE ticks.agent_id = calls.agent_id
        AND ticks.tick_no = calls.tick_no
        AND (
            ticks.state = 'due'
            OR (ticks.state = 'deciding' AND ticks.lease_until < coalesce(:now, clock_timestamp()))
        )
    RETURNING
        calls.n, ticks.agent_id, ticks.lease_token AS token, ticks.due_at, ticks.asked_for, ticks.requested_by
)
SELECT
    claimed.n,
    claimed.token,
    claimed.due_at,
    claimed.asked_for,
    claimed.requested_by,
    coalesce(:now, clock_timestamp()) AS now,
    {holds},
    (
        SELECT
            jsonb_agg(
                jsonb_build_array(own.account_id, accounts.adapter, own.remote_id)
                ORDER BY own.account_id
            )
        FROM agent_accounts AS own
        JOIN accounts ON accounts.id = own.account_id
        WHERE own.agent_id = agents.id AND accounts.deleted_at IS NULL
    ) AS further,
    {agent}
FROM claimed
JOIN agents ON agents.id = claimed.agent_id
