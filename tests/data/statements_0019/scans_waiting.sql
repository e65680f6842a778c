SELECT count(*) AS number
FROM jobs
WHERE jobs.kind = 'scan_feed' AND jobs.state = 'ready'
