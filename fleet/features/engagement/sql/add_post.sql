-- add_post: Have a published post measured, and count it in the sums of its hour. A second time does nothing.
-- parameters: post_job uuid, agent_id uuid, account_id uuid, surface text, remote_id text, posted_at timestamptz,
-- next_at timestamptz
-- returns:
WITH added AS (
    INSERT INTO post_metrics (post_job, agent_id, account_id, surface, remote_id, posted_at, next_at)
    VALUES (:post_job, :agent_id, :account_id, :surface, :remote_id, :posted_at, :next_at)
    ON CONFLICT DO NOTHING
    RETURNING agent_id, account_id, surface, posted_at
)
INSERT INTO engagement_hours AS known (agent_id, account_id, hour, surface, posts)
SELECT agent_id, account_id, date_trunc('hour', posted_at, 'UTC'), surface, 1 FROM added
ON CONFLICT (agent_id, account_id, hour) DO UPDATE SET posts = known.posts + 1
