-- J3 enter_sending: Commit to the one outside write of a job and renew its lease. No row if another worker has the lease,
-- or it has run out.
-- calls by job_id: job_id uuid, token bigint, lease_s float8
-- returns: n
WITH calls AS ({calls})
UPDATE jobs
SET
    state = 'sending',
    sending_at = coalesce(:now, clock_timestamp()),
    lease_until = coalesce(:now, clock_timestamp()) + calls.lease_s * interval '1 second'
FROM calls
WHERE jobs.id = calls.job_id
    AND jobs.lease_token = calls.token
    AND jobs.state || '' = 'running'  -- an expression of which no index knows
    AND jobs.lease_until > coalesce(:now, clock_timestamp())
RETURNING calls.n
