-- J4 read_stops: Return every hold in force, the kill switch first. It stands before the outside write of every job.
-- calls by agent_id: agent_id uuid
-- returns: n, agent_id, holds
WITH calls AS ({calls})
SELECT calls.n, calls.agent_id, {holds}
FROM calls
