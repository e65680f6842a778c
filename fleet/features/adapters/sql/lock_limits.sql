-- lock_limits: Lock the rows of limits, one after the other by key, and read the time after the last lock is held: no
-- other transaction has used units at a later time.
-- calls by key: key text
-- returns: n, state, at
WITH calls AS ({calls}),
locked AS MATERIALIZED (
    SELECT calls.n, adapter_limits.state
    FROM adapter_limits
    INNER JOIN calls ON calls.key = adapter_limits.key
    ORDER BY adapter_limits.key
    FOR UPDATE OF adapter_limits
),
moment AS MATERIALIZED (
    SELECT count(*) AS rows, coalesce(:now, clock_timestamp()) AS at FROM locked
)
SELECT locked.n, locked.state, moment.at
FROM locked
CROSS JOIN moment
