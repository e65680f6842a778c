-- D reschedule_agents: Set the next time and the tick number of claimed agents; end the budget pause of those that have
-- slept long enough.
-- parameters: ids uuid[], tick_nos bigint[], next_tick_ats timestamptz[]
UPDATE agents
SET
    status = 'running',
    tick_no = next.tick_no,
    next_tick_at = next.next_tick_at,
    paused_until = NULL,
    pause_reason = NULL
FROM unnest(:ids::uuid[], :tick_nos::bigint[], :next_tick_ats::timestamptz[]) AS next (id, tick_no, next_tick_at)
WHERE agents.id = next.id
