-- J5 clear_ended_actions: Clear the current action of agents whose action ended without them. One that does something
-- else by now is left alone.
-- parameters: agent_ids uuid[], actions text[]
WITH shown AS (
    SELECT agents.id
    FROM unnest(:agent_ids::uuid[], :actions::text[]) AS ended (agent_id, action)
    JOIN agents ON agents.id = ended.agent_id AND agents.current_action = ended.action
    ORDER BY agents.id  -- the order in which bulk actions lock them: neither waits for the other
    FOR UPDATE OF agents
)
UPDATE agents
SET current_action = NULL
FROM shown
WHERE agents.id = shown.id
