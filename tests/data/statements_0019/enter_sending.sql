WITH given AS
(SELECT call.n AS n, call.a_job AS a_job, call.a_token AS a_token, call.lease_s AS lease_s
FROM (SELECT set_config('lock_timeout', %(patience)s::VARCHAR, true) AS patience) AS patience JOIN jsonb_to_recordset(%(calls)s::JSONB) AS call(n INTEGER, a_job UUID, a_token BIGINT, lease_s DOUBLE PRECISION) ON true
WHERE call.n %% 1 = 0)
 UPDATE jobs SET state='sending', lease_until=(clock_timestamp() + CAST(given.lease_s AS DOUBLE PRECISION) * interval '1 second'), sending_at=clock_timestamp() FROM given WHERE jobs.id = given.a_job AND jobs.lease_token = given.a_token AND (jobs.state || '') = 'running' AND jobs.lease_until > clock_timestamp() RETURNING given.n
