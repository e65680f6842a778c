WITH given AS
(SELECT call.n AS n, call.a_job AS a_job, call.worker AS worker, call.lease_s AS lease_s
FROM (SELECT set_config('lock_timeout', %(patience)s::VARCHAR, true) AS patience) AS patience JOIN jsonb_to_recordset(%(calls)s::JSONB) AS call(n INTEGER, a_job UUID, worker VARCHAR, lease_s DOUBLE PRECISION) ON true
WHERE call.n %% 1 = 0),
claimed AS
(UPDATE jobs SET state=CASE WHEN (jobs.state = 'ready') THEN 'running' ELSE jobs.state END, claims=(jobs.claims + 1), publishes=0, lease_token=(jobs.lease_token + 1), lease_until=(clock_timestamp() + CAST(given.lease_s AS DOUBLE PRECISION) * interval '1 second'), held=NULL FROM given WHERE jobs.id = given.a_job AND (jobs.state || '') IN ('ready', 'unknown') AND jobs.next_attempt_at <= clock_timestamp() AND (jobs.lease_until IS NULL OR jobs.lease_until < clock_timestamp()) AND ((jobs.state || '') = 'unknown' OR jobs.expires_at > clock_timestamp()) AND jobs.agent_id IS NOT NULL RETURNING given.n, given.worker, jobs.id AS job_id, jobs.lease_token AS token, jobs.agent_id, jobs.kind, jobs.surface, jobs.target, jobs.payload, jobs.state, jobs.attempts, jobs.claims, jobs.max_attempts, jobs.tick_no, jobs.checkpoint, jobs.sending_at, jobs.created_at, jobs.expires_at, jobs.requested_by),
begun AS
(INSERT INTO job_attempts (job_id, lease_token, worker) SELECT claimed.job_id AS job_id, claimed.token AS token, claimed.worker AS worker
FROM claimed),
at_work AS
(UPDATE agents SET current_action=free.kind FROM (SELECT agents.id AS id, claimed.kind AS kind
FROM agents JOIN claimed ON agents.id = claimed.agent_id
WHERE (claimed.kind NOT IN ('deliver', 'handle', 'measure')) AND agents.current_action IS DISTINCT FROM claimed.kind FOR NO KEY UPDATE OF agents SKIP LOCKED) AS free WHERE agents.id = free.id)
 SELECT claimed.n, claimed.worker, claimed.job_id, claimed.token, claimed.agent_id, claimed.kind, claimed.surface, claimed.target, claimed.payload, claimed.state, claimed.attempts, claimed.claims, claimed.max_attempts, claimed.tick_no, claimed.checkpoint, claimed.sending_at, claimed.created_at, claimed.expires_at, claimed.requested_by, clock_timestamp() AS now, (SELECT coalesce(jsonb_agg(jsonb_build_array(controls.scope, controls.key, controls.hold, controls.reason, controls.until, controls.set_by, controls.set_at) ORDER BY controls.hold, controls.set_at), '[]'::jsonb) AS coalesce_1
FROM controls
WHERE controls.until IS NULL OR controls.until > clock_timestamp()) AS holds, agents.id AS actor_id, agents.kind AS actor_kind, agents.name AS actor_name, agents.username AS actor_username, agents.status AS actor_status, agents.persona_id AS actor_persona_id, agents.personality AS actor_personality, agents.vibe AS actor_vibe, agents.interests AS actor_interests, agents.post_weight AS actor_post_weight, agents.comment_weight AS actor_comment_weight, agents.like_weight AS actor_like_weight, agents.browse_weight AS actor_browse_weight, agents.surface AS actor_surface, agents.remote_account AS actor_remote_account, agents.paused_until AS actor_paused_until, agents.pause_reason AS actor_pause_reason, agents.autonomy AS actor_autonomy, agents.scans AS actor_scans, agents.deleted_at AS actor_deleted_at
FROM claimed JOIN agents ON agents.id = claimed.agent_id
