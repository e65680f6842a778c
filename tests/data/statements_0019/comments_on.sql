SELECT count(*) AS number
FROM jobs
WHERE jobs.target = %(target)s::VARCHAR AND jobs.kind = 'comment' AND jobs.state IN ('sending', 'unknown', 'done')
