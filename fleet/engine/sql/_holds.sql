-- Part of claim_tick, claim_job, look_at_agent, count_writes, read_holds and read_stops: every hold in force as one JSON
-- array, the kill switch first (`controls.read`).
(SELECT coalesce(
        jsonb_agg(
            jsonb_build_array(
                controls.scope, controls.key, controls.hold, controls.reason, controls.until, controls.set_by,
                controls.set_at
            )
            ORDER BY controls.hold, controls.set_at
        ),
        '[]'::jsonb
    )
    FROM controls
    WHERE controls.until IS NULL OR controls.until > coalesce(:now, clock_timestamp())) AS holds
