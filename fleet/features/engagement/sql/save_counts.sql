-- save_counts: Store readings of posts, and add their differences to the sums by hour. Rows are locked in one order.
-- A reading that is older than the stored one changes nothing, so that a late worker cannot turn counts back.
-- parameters: readings jsonb, at timestamptz, job_id uuid
-- returns: post_job, agent_id, remote_id, is_gone
WITH reading AS (
    SELECT one.*
    FROM jsonb_to_recordset(:readings::jsonb) AS one (
        post_job uuid, stage smallint, next_at timestamptz, is_read boolean, likes integer, comments integer,
        reposts integer, quotes integer, saves integer, clicks integer, views integer, reach integer,
        interactions bigint, audience integer, counts jsonb, is_day boolean, gone_seen_at timestamptz, is_gone boolean,
        gone_reason text, failures smallint, problem text
    )
),
old AS MATERIALIZED (
    SELECT post_metrics.*
    FROM post_metrics
    INNER JOIN reading ON reading.post_job = post_metrics.post_job
    WHERE post_metrics.measured_at IS NULL OR post_metrics.measured_at <= :at
    ORDER BY post_metrics.post_job
    FOR UPDATE OF post_metrics
),
new AS (
    UPDATE post_metrics
    SET
        stage = greatest(post_metrics.stage, reading.stage),
        next_at = reading.next_at,
        gone_seen_at = reading.gone_seen_at,
        gone_at = CASE WHEN reading.is_gone THEN coalesce(post_metrics.gone_at, :at) END,
        gone_reason = reading.gone_reason,
        failures = reading.failures,
        problem = reading.problem,
        measured_at = CASE WHEN reading.is_read THEN :at ELSE post_metrics.measured_at END,
        measured_by = CASE WHEN reading.is_read THEN :job_id::uuid ELSE post_metrics.measured_by END,
        likes = CASE WHEN reading.is_read THEN reading.likes ELSE post_metrics.likes END,
        comments = CASE WHEN reading.is_read THEN reading.comments ELSE post_metrics.comments END,
        reposts = CASE WHEN reading.is_read THEN reading.reposts ELSE post_metrics.reposts END,
        quotes = CASE WHEN reading.is_read THEN reading.quotes ELSE post_metrics.quotes END,
        saves = CASE WHEN reading.is_read THEN reading.saves ELSE post_metrics.saves END,
        clicks = CASE WHEN reading.is_read THEN reading.clicks ELSE post_metrics.clicks END,
        views = CASE WHEN reading.is_read THEN reading.views ELSE post_metrics.views END,
        reach = CASE WHEN reading.is_read THEN reading.reach ELSE post_metrics.reach END,
        interactions = CASE WHEN reading.is_read THEN reading.interactions ELSE post_metrics.interactions END,
        audience = CASE WHEN reading.is_read THEN reading.audience ELSE post_metrics.audience END,
        history = CASE
            WHEN reading.is_read
                THEN post_metrics.history || jsonb_build_array(jsonb_build_array(
                    extract(epoch FROM :at::timestamptz)::bigint, reading.stage, reading.counts
                ))
            ELSE post_metrics.history
        END
    FROM reading, old
    WHERE reading.post_job = post_metrics.post_job AND old.post_job = post_metrics.post_job
    RETURNING
        post_metrics.post_job, post_metrics.agent_id, post_metrics.account_id, post_metrics.surface,
        post_metrics.remote_id, date_trunc('hour', post_metrics.posted_at, 'UTC') AS hour,
        (old.measured_at IS NULL AND reading.is_read)::int AS measured,
        reading.is_gone AND old.gone_at IS NULL AS is_gone,
        (reading.is_gone AND old.gone_at IS NULL)::int - (old.gone_at IS NOT NULL AND NOT reading.is_gone)::int AS gone,
        coalesce(post_metrics.likes, 0) - coalesce(old.likes, 0) AS likes,
        coalesce(post_metrics.comments, 0) - coalesce(old.comments, 0) AS comments,
        coalesce(post_metrics.reposts, 0) - coalesce(old.reposts, 0) AS reposts,
        coalesce(post_metrics.quotes, 0) - coalesce(old.quotes, 0) AS quotes,
        coalesce(post_metrics.saves, 0) - coalesce(old.saves, 0) AS saves,
        coalesce(post_metrics.clicks, 0) - coalesce(old.clicks, 0) AS clicks,
        coalesce(post_metrics.views, 0) - coalesce(old.views, 0) AS views,
        coalesce(post_metrics.reach, 0) - coalesce(old.reach, 0) AS reach,
        coalesce(post_metrics.interactions, 0) - coalesce(old.interactions, 0) AS interactions,
        CASE WHEN post_metrics.audience IS NULL THEN 0 ELSE coalesce(post_metrics.interactions, 0) END
        - CASE WHEN old.audience IS NULL THEN 0 ELSE coalesce(old.interactions, 0) END AS rated,
        coalesce(post_metrics.audience, 0) - coalesce(old.audience, 0) AS audience,
        -- Another worker may have stored the counts of this age before.
        CASE WHEN reading.is_day AND old.stage < reading.stage THEN ln(1.0 + reading.interactions) END AS day_log
),
summed AS (
    INSERT INTO engagement_hours AS known (
        agent_id, account_id, hour, surface, measured, gone, likes, comments, reposts, quotes, saves, clicks, views,
        reach, interactions, rated, audience, day_posts, day_log, day_log_squares
    )
    SELECT
        agent_id, account_id, hour, min(surface), sum(measured), sum(gone), sum(likes), sum(comments), sum(reposts),
        sum(quotes), sum(saves), sum(clicks), sum(views), sum(reach), sum(interactions), sum(rated), sum(audience),
        count(day_log), coalesce(sum(day_log), 0), coalesce(sum(day_log * day_log), 0)
    FROM new
    GROUP BY agent_id, account_id, hour
    ORDER BY agent_id, account_id, hour
    ON CONFLICT (agent_id, account_id, hour) DO UPDATE SET
        measured = known.measured + excluded.measured,
        gone = known.gone + excluded.gone,
        likes = known.likes + excluded.likes,
        comments = known.comments + excluded.comments,
        reposts = known.reposts + excluded.reposts,
        quotes = known.quotes + excluded.quotes,
        saves = known.saves + excluded.saves,
        clicks = known.clicks + excluded.clicks,
        views = known.views + excluded.views,
        reach = known.reach + excluded.reach,
        interactions = known.interactions + excluded.interactions,
        rated = known.rated + excluded.rated,
        audience = known.audience + excluded.audience,
        day_posts = known.day_posts + excluded.day_posts,
        day_log = known.day_log + excluded.day_log,
        day_log_squares = known.day_log_squares + excluded.day_log_squares
)
SELECT post_job, agent_id, remote_id, is_gone FROM new
