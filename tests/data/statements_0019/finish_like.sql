WITH given AS
(SELECT call.n AS n, call.a_job AS a_job, call.a_token AS a_token, call.an_id AS an_id, call.a_result AS a_result, call.subject AS subject, call.payload AS payload
FROM (SELECT set_config('lock_timeout', %(patience)s::VARCHAR, true) AS patience) AS patience JOIN jsonb_to_recordset(%(calls)s::JSONB) AS call(n INTEGER, a_job UUID, a_token BIGINT, an_id VARCHAR, a_result JSONB, subject VARCHAR, payload JSONB) ON true
WHERE call.n %% 1 = 0),
finished AS
(UPDATE jobs SET state='done', lease_until=NULL, held=NULL, remote_id=given.an_id, result=given.a_result, error=NULL, finished_at=clock_timestamp() FROM given WHERE jobs.id = given.a_job AND jobs.lease_token = given.a_token AND (jobs.state || '') IN ('sending', 'unknown', 'running') RETURNING given.n, jobs.id, jobs.agent_id),
closed AS
(UPDATE job_attempts SET ended_at=clock_timestamp(), outcome=CASE WHEN (EXISTS (SELECT finished.id
FROM finished
WHERE finished.n = given.n)) THEN 'done' ELSE 'fenced' END FROM given WHERE job_attempts.job_id = given.a_job AND job_attempts.lease_token = given.a_token),
emitted AS
(INSERT INTO events (subject, payload, agent_id, job_id) SELECT given.subject AS subject, given.payload AS payload, finished.agent_id AS agent_id, finished.id AS id
FROM finished JOIN given ON finished.n = given.n
WHERE given.subject IS NOT NULL),
counted AS
(UPDATE agents SET current_action=NULL, last_action_at=clock_timestamp(), total_likes=(agents.total_likes + times.number) FROM (SELECT finished.agent_id AS agent_id, count(*) AS number
FROM finished GROUP BY finished.agent_id ORDER BY finished.agent_id) AS times WHERE agents.id = times.agent_id)
 SELECT finished.n, finished.id
FROM finished
