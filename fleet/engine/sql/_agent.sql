-- Part of claim_tick, claim_job, look_at_agent and count_writes: the columns of an ActingAgent, in its order. They stand
-- last in the row (`loop.actor`).
agents.id AS actor_id,
    agents.kind AS actor_kind,
    agents.name AS actor_name,
    agents.username AS actor_username,
    agents.status AS actor_status,
    agents.persona_id AS actor_persona_id,
    agents.personality AS actor_personality,
    agents.vibe AS actor_vibe,
    agents.interests AS actor_interests,
    agents.weights AS actor_weights,
    agents.surface AS actor_surface,
    agents.remote_account AS actor_remote_account,
    agents.paused_until AS actor_paused_until,
    agents.pause_reason AS actor_pause_reason,
    agents.autonomy AS actor_autonomy,
    agents.config AS actor_config,
    agents.deleted_at AS actor_deleted_at
