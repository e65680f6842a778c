-- T3 record_decision: Record a decision, insert its jobs, show the agent's thought and record its event. Return a row for
-- each new job, one row without a job if there is none, and no row if another worker has the lease: nothing is written.
-- calls by agent_id: agent_id uuid, tick_no bigint, token bigint, inputs jsonb, outcome jsonb, duration_ms integer,
-- thought text, action text, subject text, payload jsonb, jobs jsonb
-- returns: n, id, kind, priority, publishes
WITH calls AS ({calls}),
recorded AS (
    UPDATE ticks
    SET
        state = 'decided',
        lease_until = NULL,
        decided_at = coalesce(:now, clock_timestamp()),
        inputs = calls.inputs,
        outcome = calls.outcome,
        duration_ms = calls.duration_ms
    FROM calls
    WHERE ticks.agent_id = calls.agent_id
        AND ticks.tick_no = calls.tick_no
        AND ticks.lease_token = calls.token
        AND ticks.state = 'deciding'
    RETURNING calls.n, ticks.agent_id
),
job AS (
    SELECT recorded.n, job.*
    FROM recorded
    JOIN calls ON calls.n = recorded.n
    CROSS JOIN jsonb_to_recordset(calls.jobs) AS job ({job_columns})
),
added AS ({add_jobs}),
new AS (
    SELECT job.n, added.id, added.kind, added.priority, added.publishes
    FROM added
    JOIN job ON job.id = added.id
),
shown AS (
    UPDATE agents
    SET
        last_thought = calls.thought,
        current_action = CASE WHEN EXISTS (SELECT 1 FROM new WHERE new.n = recorded.n) THEN calls.action END
    FROM recorded
    JOIN calls ON calls.n = recorded.n
    WHERE agents.id = recorded.agent_id
),
emitted AS (
    INSERT INTO events (occurred_at, subject, agent_id, payload)
    SELECT coalesce(:now, clock_timestamp()), calls.subject, recorded.agent_id, calls.payload
    FROM recorded
    JOIN calls ON calls.n = recorded.n
    WHERE calls.subject IS NOT NULL
)
SELECT recorded.n, new.id, new.kind, new.priority, new.publishes
FROM recorded
LEFT JOIN new ON new.n = recorded.n
