SELECT (payload->>'subscription'), count(*) AS count_1
FROM jobs
WHERE (kind = 'deliver' AND requested_by IS NULL AND state IN ('ready', 'running') AND published_at IS NOT NULL) GROUP BY (payload->>'subscription')
