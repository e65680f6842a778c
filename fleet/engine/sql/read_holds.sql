-- D read_holds: Return every hold in force, the kill switch first.
-- returns: holds
SELECT {holds}
