-- J3 count_writes: Return an agent and the holds in force once more, with what the caps are compared with: the agent's
-- writes by kind within `within_s`, and how many writes the account has had in a minute, counted up to `max_writes`.
-- calls by agent_id: agent_id uuid, surface text, account_id uuid, within_s float8, max_writes integer
-- returns: n, now, holds, writes, surface_writes, {agent}
WITH calls AS ({calls})
SELECT
    calls.n,
    coalesce(:now, clock_timestamp()) AS now,
    {holds},
    (
        SELECT coalesce(jsonb_object_agg(written.kind, jsonb_build_array(written.number, written.last)), '{}'::jsonb)
        FROM (
            SELECT jobs.kind, count(*) AS number, max(jobs.sending_at) AS last
            FROM jobs
            WHERE jobs.agent_id = calls.agent_id
                -- Not clock_timestamp(): only what is the same for all rows can be looked up in an index.
                AND jobs.sending_at > coalesce(:now, statement_timestamp()) - calls.within_s * interval '1 second'
            GROUP BY jobs.kind
        ) AS written
    ) AS writes,
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM jobs
            WHERE jobs.surface = calls.surface
                AND jobs.sending_at > coalesce(:now, statement_timestamp()) - interval '1 minute'
                -- Without one it is the account of the settings (`fleet.accounts.models`).
                AND coalesce(jobs.account_id, '6f2f4c0e-0000-4000-8000-000000000001') = calls.account_id
            LIMIT calls.max_writes
        ) AS lately
    ) AS surface_writes,
    {agent}
FROM calls
JOIN agents ON agents.id = calls.agent_id
