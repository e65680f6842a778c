-- Statements about agents that workers and the dashboard of the version before send (schema 0020), as SQLAlchemy wrote
-- them. Names of parameters are kept; `calls` is the document of one finished job.

-- name: insert_agent
INSERT INTO agents (id, kind, name, username, persona_id, personality, vibe, interests, post_weight, comment_weight,
    like_weight, browse_weight, min_interval_s, max_interval_s, autonomy, scans, scan_interval_s, audience,
    heeds_agents, draft_days, surface, owner)
VALUES (:id, :kind, :name, :username, :persona_id, :personality, :vibe, :interests, :post_weight, :comment_weight,
    :like_weight, :browse_weight, :min_interval_s, :max_interval_s, :autonomy, :scans, :scan_interval_s, :audience,
    :heeds_agents, :draft_days, :surface, :owner)

-- name: edit_weight
UPDATE agents SET like_weight=:like_weight, updated_at=clock_timestamp() WHERE agents.id = :id

-- name: edit_settings
UPDATE agents SET autonomy=:autonomy, scans=:scans, scan_interval_s=:scan_interval_s, audience=:audience,
    heeds_agents=:heeds_agents, draft_days=:draft_days, updated_at=clock_timestamp() WHERE agents.id = :id

-- name: read_actor
SELECT agents.id AS actor_id, agents.kind AS actor_kind, agents.name AS actor_name, agents.username AS actor_username,
    agents.status AS actor_status, agents.persona_id AS actor_persona_id, agents.personality AS actor_personality,
    agents.vibe AS actor_vibe, agents.interests AS actor_interests, agents.post_weight AS actor_post_weight,
    agents.comment_weight AS actor_comment_weight, agents.like_weight AS actor_like_weight,
    agents.browse_weight AS actor_browse_weight, agents.surface AS actor_surface,
    agents.remote_account AS actor_remote_account, agents.paused_until AS actor_paused_until,
    agents.pause_reason AS actor_pause_reason, agents.autonomy AS actor_autonomy, agents.scans AS actor_scans,
    agents.deleted_at AS actor_deleted_at
FROM agents WHERE agents.id = :id

-- name: read_habits
SELECT agents.owner, agents.audience, agents.heeds_agents, agents.draft_days, agents.scan_interval_s
FROM agents WHERE agents.id = :id

-- name: finish_like
WITH given AS (
    SELECT call.n AS n, call.a_job AS a_job, call.a_token AS a_token, call.an_id AS an_id, call.a_result AS a_result,
        call.subject AS subject, call.payload AS payload
    FROM (SELECT set_config('lock_timeout', '0', true) AS patience) AS patience
    JOIN jsonb_to_recordset(CAST(:calls AS JSONB)) AS call(n INTEGER, a_job UUID, a_token BIGINT, an_id VARCHAR,
        a_result JSONB, subject VARCHAR, payload JSONB) ON true
    WHERE call.n % 1 = 0
), finished AS (
    UPDATE jobs SET state='done', lease_until=NULL, held=NULL, remote_id=given.an_id, result=given.a_result, error=NULL,
        finished_at=clock_timestamp()
    FROM given
    WHERE jobs.id = given.a_job AND jobs.lease_token = given.a_token
        AND (jobs.state || '') IN ('running', 'sending', 'unknown')
    RETURNING given.n, jobs.id, jobs.agent_id
), closed AS (
    UPDATE job_attempts SET ended_at=clock_timestamp(), outcome=CASE WHEN (EXISTS (
        SELECT finished.id FROM finished WHERE finished.n = given.n)) THEN 'done' ELSE 'fenced' END
    FROM given WHERE job_attempts.job_id = given.a_job AND job_attempts.lease_token = given.a_token
), emitted AS (
    INSERT INTO events (subject, payload, agent_id, job_id)
    SELECT given.subject AS subject, given.payload AS payload, finished.agent_id AS agent_id, finished.id AS id
    FROM finished JOIN given ON finished.n = given.n WHERE given.subject IS NOT NULL
), counted AS (
    UPDATE agents SET current_action=NULL, last_action_at=clock_timestamp(),
        total_likes=(agents.total_likes + times.number)
    FROM (SELECT finished.agent_id AS agent_id, count(*) AS number FROM finished
        GROUP BY finished.agent_id ORDER BY finished.agent_id) AS times
    WHERE agents.id = times.agent_id
)
SELECT finished.n, finished.id FROM finished
