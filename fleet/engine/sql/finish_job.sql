-- J5 finish_job: Record that a job is done: its end, the end of its attempt, the agent's totals and the event. No row if
-- another worker has the lease; the attempt is closed in any case.
-- calls by job_id: job_id uuid, token bigint, remote_id text, result jsonb, is_act boolean, subject text, payload jsonb
-- returns: n, job_id
WITH calls AS ({calls}),
finished AS (
    UPDATE jobs
    SET
        state = 'done',
        lease_until = NULL,
        finished_at = coalesce(:now, clock_timestamp()),
        held = NULL,
        error = NULL,
        remote_id = calls.remote_id,
        result = calls.result
    FROM calls
    WHERE jobs.id = calls.job_id
        AND jobs.lease_token = calls.token
        AND jobs.state || '' IN ('running', 'sending', 'unknown')  -- an expression of which no index knows
    RETURNING calls.n, jobs.id AS job_id, jobs.agent_id, jobs.kind
),
closed AS (
    UPDATE job_attempts
    SET
        ended_at = coalesce(:now, clock_timestamp()),
        outcome = CASE WHEN EXISTS (SELECT 1 FROM finished WHERE finished.n = calls.n) THEN 'done' ELSE 'fenced' END
    FROM calls
    WHERE job_attempts.job_id = calls.job_id
        AND job_attempts.lease_token = calls.token
),
-- Jobs of one agent in one group of calls are counted together: a statement changes a row once.
acts AS (
    SELECT by_kind.agent_id, jsonb_object_agg(by_kind.kind, by_kind.number) AS numbers
    FROM (
        SELECT finished.agent_id, finished.kind, count(*) AS number
        FROM finished
        JOIN calls ON calls.n = finished.n
        WHERE calls.is_act
        GROUP BY finished.agent_id, finished.kind
    ) AS by_kind
    GROUP BY by_kind.agent_id
    ORDER BY by_kind.agent_id  -- the order in which every transaction locks agents
),
counted AS (
    UPDATE agents
    SET
        last_action_at = coalesce(:now, clock_timestamp()),
        current_action = NULL,
        totals = agents.totals || (
            SELECT jsonb_object_agg(one.key, coalesce((agents.totals -> one.key)::bigint, 0) + one.value::bigint)
            FROM jsonb_each(acts.numbers) AS one
        )
    FROM acts
    WHERE agents.id = acts.agent_id
),
emitted AS (
    INSERT INTO events (occurred_at, subject, agent_id, job_id, payload)
    SELECT coalesce(:now, clock_timestamp()), calls.subject, finished.agent_id, finished.job_id, calls.payload
    FROM finished
    JOIN calls ON calls.n = finished.n
)
SELECT finished.n, finished.job_id
FROM finished
