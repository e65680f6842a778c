SELECT 1
FROM jobs
WHERE jobs.agent_id = %(agent_id)s::UUID AND jobs.kind = 'scan_feed' AND jobs.state IN ('ready', 'running')
 LIMIT 1
