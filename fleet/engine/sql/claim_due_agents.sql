-- D claim_due_agents: Lock the agents whose time has come, longest waiting first, and pass over those that another
-- dispatcher has locked. With `kinds` only agents of these kinds are claimed.
-- parameters: limit integer, kinds text[]
-- returns: agent_id, kind, persona_id, tick_no, next_tick_at, min_interval_s, max_interval_s, autonomy, config_json,
-- organisation_id, claimed_at
SELECT
    agents.id AS agent_id,
    agents.kind,
    agents.persona_id,
    agents.tick_no,
    agents.next_tick_at,
    agents.min_interval_s,
    agents.max_interval_s,
    agents.autonomy,
    agents.config::text AS config_json,
    agents.organisation_id,
    coalesce(:now, statement_timestamp()) AS claimed_at
FROM agents
WHERE agents.status IN ('running', 'paused')
    -- Not clock_timestamp(): only what is the same for all rows can be looked up in ix_agents_due.
    AND agents.next_tick_at <= coalesce(:now, statement_timestamp())
    AND (agents.status = 'running' OR agents.paused_until <= coalesce(:now, statement_timestamp()))
    AND (:kinds::text[] IS NULL OR agents.kind = ANY (:kinds::text[]))
ORDER BY agents.next_tick_at
LIMIT :limit::integer
FOR UPDATE SKIP LOCKED
