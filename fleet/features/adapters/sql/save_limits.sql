-- save_limits: Store the states of limits whose rows this transaction has locked.
-- calls by key: key text, state jsonb
-- returns: n
WITH calls AS ({calls})
UPDATE adapter_limits
SET state = calls.state, updated_at = coalesce(:now, clock_timestamp())
FROM calls
WHERE adapter_limits.key = calls.key
RETURNING calls.n
