-- J5 clear_action: Clear an agent's current action: what it did has ended.
-- parameters: agent_id uuid
UPDATE agents
SET current_action = NULL
WHERE agents.id = :agent_id::uuid
    AND agents.current_action IS NOT NULL
