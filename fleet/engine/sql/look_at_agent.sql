-- J3 look_at_agent: Return an agent and the holds in force once more.
-- calls by agent_id: agent_id uuid
-- returns: n, now, holds, {agent}
WITH calls AS ({calls})
SELECT
    calls.n,
    coalesce(:now, clock_timestamp()) AS now,
    {holds},
    {agent}
FROM calls
JOIN agents ON agents.id = calls.agent_id
