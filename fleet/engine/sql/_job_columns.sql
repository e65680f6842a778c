-- Part of add_jobs and record_decision: a job as it stands in the document of new jobs (`ledger.job_document`).
id uuid, agent_id uuid, tick_no bigint, kind text, priority text, surface text, account_id uuid, target text,
        payload jsonb, requested_by text, max_attempts integer, expires_after_s float8, due_in_s float8, once boolean, rare boolean,
        lane text
