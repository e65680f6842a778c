-- T3 add_jobs: Insert jobs; return those that are new. A job that exists, or that a unique index forbids, is left out.
-- parameters: jobs jsonb
-- returns: id, kind, priority, publishes
WITH job AS (
    SELECT job.* FROM jsonb_to_recordset(:jobs::jsonb) AS job ({job_columns})
),
added AS ({add_jobs})
SELECT added.id, added.kind, added.priority, added.publishes FROM added
