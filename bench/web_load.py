"""What a dashboard shows of a large fleet, besides its ledger: drafts, requests, calls to models, the audit log.

For `bench.bench_web`, on a database that `bench.growth_load` has filled. Nothing is random, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from bench import growth_load
from bench.growth_load import Size
from fleet.sandbox.servers.postgres import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Scene:
    """How many rows of each kind."""

    ledger: Size
    dead: int
    drafts: int
    calls: int
    audit: int

    def times(self, factor: float) -> Scene:
        """Return a scene of so many times the rows."""
        dead, drafts, calls, audit = (max(100, round(factor * one)) for one in
                                      (self.dead, self.drafts, self.calls, self.audit))  # fmt: skip
        return Scene(self.ledger.times(factor), dead, drafts, calls, audit)

    def __str__(self) -> str:
        return (
            f"{self.ledger}, {self.dead:,} dead letters, {self.drafts:,} drafts with their requests, "
            f"{self.calls:,} calls to models, {self.audit:,} lines of audit"
        )


FULL = Scene(
    Size(agents=100_000, ticks=1_000_000, jobs=1_000_000, events=5_000_000),
    dead=20_000, drafts=20_000, calls=1_000_000, audit=200_000,
)  # fmt: skip

_AGENT = "md5('agent' || floor({agents} * power(n * 0.6180339887 - floor(n * 0.6180339887), 2)))::uuid"
_AT = "clock_timestamp() - interval '40 days' * (({count} - n)::float8 / {count})"
_STATE = """(ARRAY['pending', 'approved', 'approved', 'rejected', 'expired'])
            [CASE WHEN n > {count} * 3 / 4 THEN 1 ELSE 2 + n % 4 END]"""
_CONTENT = """jsonb_build_object('kind', 'comment', 'target', 'p' || n, 'text', 'Well seen, number ' || n)"""

# The surface refuses more than it does in life: lists of dead letters are what somebody looks at on a bad day.
_DEAD = """
UPDATE jobs SET state = 'dead', dead_reason = 'permanent', error = 'the surface said no', attempts = 5
WHERE id IN (SELECT id FROM jobs WHERE state IN ('skipped', 'cancelled') ORDER BY finished_at DESC
             LIMIT greatest(0, {dead} - (SELECT count(*) FROM jobs WHERE state = 'dead')))
"""
_REQUESTS = f"""
INSERT INTO approval_requests (id, resource, resource_id, action, payload, facts, summary, agent_id, requested_by,
                               state, rule, approvers, min_approvals, created_at, expires_at, next_step_at, settled_at,
                               settled_by, reason)
SELECT md5('request' || n)::uuid, 'draft', md5('draft' || n)::uuid::text, 'publish', {_CONTENT},
       jsonb_build_object('kind', 'comment', 'confidence', 0.7), 'Say to Zoe: well seen, number ' || n, {_AGENT},
       'agent_' || n, state, 'drafts', ARRAY['owner', 'admin', 'operator', 'reviewer'], 1, at, at + interval '47 days',
       CASE WHEN state = 'pending' THEN at + interval '47 days' END,
       CASE WHEN state <> 'pending' THEN at + interval '1 h' END, CASE WHEN state <> 'pending' THEN 'ann' END,
       CASE WHEN state = 'rejected' THEN 'too clever' END
FROM (SELECT n, {_AT} AS at, {_STATE} AS state FROM generate_series(1, {{count}}) AS n) AS made
"""
_DECISIONS = """
INSERT INTO approval_decisions (request_id, revision, verdict, by_name, by_roles, reason, payload, decided_at)
SELECT id, 1, CASE state WHEN 'approved' THEN 'approve' WHEN 'rejected' THEN 'reject' ELSE 'expire' END, 'ann',
       ARRAY['owner'], reason, payload, settled_at
FROM approval_requests WHERE state <> 'pending'
"""
_DRAFTS = f"""
INSERT INTO drafts (id, agent_id, scan_id, kind, surface, target, content, about, confidence, context, topic, status,
                    request_id, job_id, created_at, expires_at, decided_at, decided_by, reason)
SELECT md5('draft' || n)::uuid, {_AGENT}, md5('scan' || n / 3)::uuid, 'comment', 'floimg', 'p' || n, {_CONTENT},
       jsonb_build_object('author', 'Zoe', 'caption', 'A quiet harbour at dawn, number ' || n, 'id', 'p' || n), 0.7,
       'it is about light', 'light', state, md5('request' || n)::uuid,
       CASE WHEN state = 'approved' THEN md5('publish' || n)::uuid END, at, at + interval '47 days',
       CASE WHEN state <> 'pending' THEN at + interval '1 h' END, CASE WHEN state <> 'pending' THEN 'ann' END,
       CASE WHEN state = 'rejected' THEN 'too clever' END
FROM (SELECT n, {_AT} AS at, {_STATE} AS state FROM generate_series(1, {{count}}) AS n) AS made
"""
_REVISIONS = """
INSERT INTO draft_revisions (draft_id, revision, content, made_by, made_at)
SELECT id, 1, content, 'agent', created_at FROM drafts
"""
_CALLS = f"""
INSERT INTO llm_calls (called_at, agent_id, persona_id, job_id, purpose, provider, model, outcome, input_tokens,
                       cache_read_tokens, output_tokens, microusd, latency_ms)
SELECT {_AT}, {_AGENT}, (ARRAY['ai_artist', 'poet', 'critic', 'night_owl', 'botanist'])[1 + n % 5],
       md5('job' || n)::uuid, (ARRAY['post', 'comment', 'scan'])[1 + n % 3],
       (ARRAY['anthropic', 'openai'])[1 + n % 2], (ARRAY['claude-haiku', 'gpt-mini'])[1 + n % 2],
       CASE WHEN n % 50 = 0 THEN 'refused' ELSE 'answered' END, 400, 900, 120, 700 + n % 400, 900 + n % 700
FROM generate_series(1, {{count}}) AS n
"""
_AUDIT = f"""
INSERT INTO audit (at, actor, role, via, address, action, target, before, after)
SELECT {_AT}, (ARRAY['ann', 'ben', 'cleo'])[1 + n % 3], 'admin', 'web', '203.0.113.7',
       (ARRAY['agent.paused', 'agent.resumed', 'job.replayed', 'session.opened'])[1 + n % 4],
       'agent:agent_' || n % 1000,
       jsonb_build_object('status', 'running'), jsonb_build_object('status', 'paused')
FROM generate_series(1, {{count}}) AS n
"""


def load(server: EmbeddedPostgres, database: str, scene: Scene, personas: tuple[str, ...]) -> None:
    """Fill an empty, migrated database."""
    growth_load.load(server, database, scene.ledger, personas)
    counts = [(_DEAD, 0), (_REQUESTS, scene.drafts), (_DECISIONS, 0), (_DRAFTS, scene.drafts), (_REVISIONS, 0),
              (_CALLS, scene.calls), (_AUDIT, scene.audit)]  # fmt: skip
    with server.connect(database) as connection:
        connection.execute("SET synchronous_commit = off")
        for order, count in counts:
            filled = order.format(count=count, dead=scene.dead, agents=scene.ledger.agents)
            connection.execute(sql.SQL(filled))
        connection.execute("VACUUM (FREEZE, ANALYZE)")
        connection.execute("CHECKPOINT")
