-- J4 read_stops: Return every hold in force, the kill switch first. It stands before the outside write of every job.
-- calls by agent_id: agent_id uuid
-- returns: n, holds
WITH calls AS ({calls})
SELECT calls.n, {holds}
FROM calls
