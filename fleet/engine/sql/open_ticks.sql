-- D open_ticks: Insert due ticks, marked as published; return those that are new.
-- parameters: agent_ids uuid[], tick_nos bigint[], due_ats timestamptz[]
-- returns: agent_id, tick_no
INSERT INTO ticks (agent_id, tick_no, due_at, published_at, publishes)
SELECT due.agent_id, due.tick_no, due.due_at, coalesce(:now, clock_timestamp()), 1
FROM unnest(:agent_ids::uuid[], :tick_nos::bigint[], :due_ats::timestamptz[]) AS due (agent_id, tick_no, due_at)
ON CONFLICT DO NOTHING
RETURNING ticks.agent_id, ticks.tick_no
