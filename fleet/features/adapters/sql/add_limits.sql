-- add_limits: Insert the rows of limits that no call has used yet.
-- calls by key: key text, adapter text, name text, account_id uuid
-- returns: n
WITH calls AS ({calls})
INSERT INTO adapter_limits (key, adapter, name, account_id)
SELECT calls.key, calls.adapter, calls.name, calls.account_id FROM calls ORDER BY calls.key
ON CONFLICT DO NOTHING
RETURNING 0 AS n
