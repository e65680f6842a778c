-- D any_agent_due: Say whether the time of any agent has come: one row, or none. While the whole fleet is held, only
-- agents of these kinds count.
-- parameters: kinds text[]
-- returns: one
SELECT 1 AS one
FROM agents
WHERE agents.status IN ('running', 'paused')
    AND agents.next_tick_at <= coalesce(:now, statement_timestamp())
    AND (agents.status = 'running' OR agents.paused_until <= coalesce(:now, statement_timestamp()))
    AND (
        agents.kind = ANY (:kinds::text[])
        OR NOT EXISTS (
            SELECT FROM controls
            WHERE controls.scope = 'fleet'
                AND (controls.until IS NULL OR controls.until > coalesce(:now, statement_timestamp()))
        )
    )
ORDER BY agents.next_tick_at
LIMIT 1
