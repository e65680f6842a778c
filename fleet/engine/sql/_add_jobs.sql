-- Part of add_jobs and record_decision: insert the jobs of the table `job`, which are due now or in `due_in_s`. Those
-- that are due now are marked as published; for the others the sweep publishes, for those with a lane `pacing`.
INSERT INTO jobs (
        id, agent_id, tick_no, kind, priority, surface, account_id, target, payload, requested_by, max_attempts, once,
        rare, lane, created_at, next_attempt_at, expires_at, published_at, publishes
    )
    SELECT
        job.id, job.agent_id, job.tick_no, job.kind, job.priority, job.surface, job.account_id, job.target, job.payload,
        job.requested_by, job.max_attempts, job.once, job.rare, job.lane, coalesce(:now, clock_timestamp()),
        coalesce(:now, clock_timestamp()) + job.due_in_s * interval '1 second',
        coalesce(:now, clock_timestamp()) + (job.due_in_s + job.expires_after_s) * interval '1 second',
        CASE WHEN job.due_in_s = 0 AND job.lane IS NULL THEN coalesce(:now, clock_timestamp()) END,
        CASE WHEN job.due_in_s = 0 AND job.lane IS NULL THEN 1 ELSE 0 END
    FROM job
    ON CONFLICT DO NOTHING
    RETURNING jobs.id, jobs.kind, jobs.priority, jobs.publishes
