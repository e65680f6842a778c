-- J2 save_step: Keep the result of a paid step in the job's checkpoint. No row if another worker has the lease.
-- calls by job_id: job_id uuid, token bigint, state text, step jsonb
-- returns: n
WITH calls AS ({calls})
UPDATE jobs
SET checkpoint = jobs.checkpoint || calls.step
FROM calls
WHERE jobs.id = calls.job_id
    AND jobs.lease_token = calls.token
    AND jobs.state || '' = calls.state
RETURNING calls.n
