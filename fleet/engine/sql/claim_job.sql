-- J1 claim_job: Lease a job to carry it out, or to resolve its unknown outcome, and insert the attempt; return the job
-- with its agent and the holds in force. No row where the job is finished, leased by another worker, or not due yet: the
-- message was a duplicate, or came early.
-- calls by job_id: job_id uuid, worker text, lease_s float8, acts text[]
-- returns: n, job_id, token, agent_id, kind, surface, account_id, target, payload, state, attempts, claims, max_attempts,
-- tick_no, checkpoint, sending_at, created_at, expires_at, requested_by, identity, now, holds, {agent}
WITH calls AS ({calls}),
claimed AS (
    UPDATE jobs
    SET
        state = CASE WHEN jobs.state = 'ready' THEN 'running' ELSE jobs.state END,
        lease_token = jobs.lease_token + 1,
        lease_until = coalesce(:now, clock_timestamp()) + calls.lease_s * interval '1 second',
        claims = jobs.claims + 1,
        publishes = 0,
        held = NULL
    FROM calls
    WHERE jobs.id = calls.job_id
        AND jobs.state || '' IN ('ready', 'unknown')  -- an expression of which no index knows
        AND jobs.next_attempt_at <= coalesce(:now, clock_timestamp())
        AND (jobs.lease_until IS NULL OR jobs.lease_until < coalesce(:now, clock_timestamp()))
        AND (jobs.state || '' = 'unknown' OR jobs.expires_at > coalesce(:now, clock_timestamp()))
        AND jobs.agent_id IS NOT NULL
    RETURNING
        calls.n, jobs.id AS job_id, jobs.lease_token AS token, jobs.agent_id, jobs.kind, jobs.surface, jobs.account_id,
        jobs.target, jobs.payload, jobs.state, jobs.attempts, jobs.claims, jobs.max_attempts, jobs.tick_no,
        jobs.checkpoint, jobs.sending_at, jobs.created_at, jobs.expires_at, jobs.requested_by
),
begun AS (
    INSERT INTO job_attempts (job_id, lease_token, worker, started_at)
    SELECT claimed.job_id, claimed.token, calls.worker, coalesce(:now, clock_timestamp())
    FROM claimed
    JOIN calls ON calls.n = claimed.n
),
-- An agent's row that is locked is left alone: who stops an agent has its row, and wants those of its jobs.
free AS (
    SELECT agents.id, claimed.kind
    FROM claimed
    JOIN calls ON calls.n = claimed.n
    JOIN agents ON agents.id = claimed.agent_id
    WHERE claimed.kind = ANY (calls.acts)
        AND agents.current_action IS DISTINCT FROM claimed.kind
    FOR NO KEY UPDATE OF agents SKIP LOCKED
),
at_work AS (
    UPDATE agents
    SET current_action = free.kind
    FROM free
    WHERE agents.id = free.id
)
SELECT
    claimed.*,
    own.remote_id AS identity,
    coalesce(:now, clock_timestamp()) AS now,
    {holds},
    {agent}
FROM claimed
JOIN agents ON agents.id = claimed.agent_id
LEFT JOIN agent_accounts AS own  -- only of further accounts; the row of the agent has its id at the main one
    ON own.agent_id = claimed.agent_id AND own.account_id = claimed.account_id
