-- D agents_with_open_tick: Return the agents whose latest tick is undecided. No other tick of theirs can be open.
-- parameters: agent_ids uuid[], tick_nos bigint[]
-- returns: agent_id
SELECT latest.agent_id
FROM unnest(:agent_ids::uuid[], :tick_nos::bigint[]) AS latest (agent_id, tick_no)
-- A value for each row is looked up for each row, whatever the server believes of states. Where it may join, it compares
-- each open tick of a backlog.
WHERE (
        SELECT ticks.state FROM ticks WHERE ticks.agent_id = latest.agent_id AND ticks.tick_no = latest.tick_no
    ) IN ('due', 'deciding')
