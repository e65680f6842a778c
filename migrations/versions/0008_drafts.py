"""drafts: what supervised agents have seen and propose, and what decisions teach them

Revision: 0008, after 0007
"""

import re
from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CLOCK = sa.text("clock_timestamp()")
_TIME = sa.DateTime(timezone=True)
_NEW_KINDS = ("react", "connect", "scan_feed", "revise_draft")


def _known_kinds() -> list[str]:
    """Return the kinds of jobs that the database allows at this point."""
    query = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_jobs_kind'")
    return re.findall(r"'([^']*)'", str(op.get_bind().scalar(query)))


def _allow(kinds: Iterable[str]) -> None:
    """Replace the CHECK of the kinds of jobs; NOT VALID keeps no writer waiting while the table is read."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_jobs_kind"), "jobs", type_="check")
    op.execute(f"ALTER TABLE jobs ADD CONSTRAINT ck_jobs_kind CHECK (kind IN ({listed})) NOT VALID")
    op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_kind")


def upgrade() -> None:
    _allow([*_known_kinds(), *_NEW_KINDS])
    op.create_index(
        "uq_jobs_one_social", "jobs", ["agent_id", "kind", "target"], unique=True,
        postgresql_where=sa.text("kind IN ('react', 'connect') AND state NOT IN ('skipped', 'cancelled')"),
    )  # fmt: skip
    op.create_index(
        "ix_jobs_scans", "jobs", ["agent_id"],
        postgresql_where=sa.text("kind = 'scan_feed' AND state IN ('ready', 'running')"),
    )  # fmt: skip
    _agents()
    op.create_table(
        "seen_items",
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.String(length=200), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("last_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_seen_items_agent_id_agents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", "item_id", name=op.f("pk_seen_items")),
    )
    op.create_index("ix_seen_items_last_at", "seen_items", ["last_at"])
    _drafts()
    _lessons()


def _agents() -> None:
    op.add_column("agents", sa.Column("scans", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("agents", sa.Column("scan_interval_s", sa.Integer(), server_default=sa.text("3600"), nullable=False))
    op.add_column("agents", sa.Column("audience", sa.String(length=10), server_default="public", nullable=False))
    op.add_column("agents", sa.Column("heeds_agents", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("agents", sa.Column("draft_days", sa.SmallInteger(), server_default=sa.text("7"), nullable=False))
    intervals = "30, 900, 1800, 3600, 7200, 21600, 43200, 86400"
    op.create_check_constraint(op.f("ck_agents_scan_interval"), "agents", f"scan_interval_s IN ({intervals})")
    op.create_check_constraint(op.f("ck_agents_audience"), "agents", "audience IN ('public', 'friends')")
    op.create_check_constraint(op.f("ck_agents_draft_days"), "agents", "draft_days BETWEEN 1 AND 90")


def _drafts() -> None:
    data = postgresql.JSONB()
    op.create_table(
        "drafts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("scan_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("surface", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=True),
        sa.Column("content", data, nullable=False),
        sa.Column("about", data, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("suggested_by", sa.String(length=20), server_default="activity_worker", nullable=False),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("context", sa.String(length=200), server_default="", nullable=False),
        sa.Column("topic", sa.String(length=60), server_default="", nullable=False),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("status", sa.String(length=10), server_default="pending", nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.CheckConstraint("kind IN ('post', 'comment', 'reaction', 'connection')", name=op.f("ck_drafts_kind")),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn')", name=op.f("ck_drafts_status")
        ),
        sa.CheckConstraint("(kind = 'post') = (target IS NULL)", name=op.f("ck_drafts_target")),
        sa.CheckConstraint("(status = 'pending') = (decided_at IS NULL)", name=op.f("ck_drafts_decided")),
        sa.CheckConstraint("(status = 'approved') = (job_id IS NOT NULL)", name=op.f("ck_drafts_job")),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_drafts_agent_id_agents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drafts")),
    )
    op.create_index(
        "uq_drafts_one_open", "drafts", ["agent_id", "kind", "target"], unique=True,
        postgresql_where=sa.text("status = 'pending' AND target IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_drafts_open_comments", "drafts", ["surface", "target"],
        postgresql_where=sa.text("status = 'pending' AND kind = 'comment'"),
    )  # fmt: skip
    op.create_index("ix_drafts_created_at", "drafts", ["created_at", "id"])
    op.create_index("ix_drafts_agent", "drafts", ["agent_id", "created_at", "id"])
    op.create_index("ix_drafts_status", "drafts", ["status", "created_at", "id"])
    op.create_index(
        "ix_drafts_decided_at", "drafts", ["decided_at"], postgresql_where=sa.text("decided_at IS NOT NULL")
    )
    op.create_table(
        "draft_revisions",
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content", data, nullable=False),
        sa.Column("made_by", sa.String(length=100), nullable=False),
        sa.Column("instructions", sa.String(length=1000), nullable=True),
        sa.Column("made_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["drafts.id"], name=op.f("fk_draft_revisions_draft_id_drafts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("draft_id", "revision", name=op.f("pk_draft_revisions")),
    )


def _lessons() -> None:
    op.create_table(
        "draft_lessons",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("topic", sa.String(length=60), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("reward", sa.Float(), nullable=False),
        sa.Column("weight_before", sa.Float(), nullable=False),
        sa.Column("weight_after", sa.Float(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("about", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.String(length=1000), nullable=False),
        sa.Column("learned_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("undone_at", _TIME, nullable=True),
        sa.Column("undone_by", sa.String(length=100), nullable=True),
        sa.CheckConstraint(
            "decision IN ('approved', 'edited', 'rejected')", name=op.f("ck_draft_lessons_decision")
        ),
        sa.CheckConstraint(
            "greatest(abs(weight_before), abs(weight_after)) <= 1", name=op.f("ck_draft_lessons_weights")
        ),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name=op.f("ck_draft_lessons_undone")),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_draft_lessons_agent_id_agents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_lessons")),
        sa.UniqueConstraint("draft_id", name=op.f("uq_draft_lessons_draft_id")),
    )
    op.create_index("ix_draft_lessons_agent", "draft_lessons", ["agent_id", "id"])


def downgrade() -> None:
    for table in ("draft_lessons", "draft_revisions", "drafts", "seen_items"):
        op.drop_table(table)
    for name in ("ck_agents_draft_days", "ck_agents_audience", "ck_agents_scan_interval"):
        op.drop_constraint(op.f(name), "agents", type_="check")
    for column in ("draft_days", "heeds_agents", "audience", "scan_interval_s", "scans"):
        op.drop_column("agents", column)
    op.drop_index("ix_jobs_scans", "jobs")
    op.drop_index("uq_jobs_one_social", "jobs")
    op.execute(sa.text("DELETE FROM jobs WHERE kind = ANY(:kinds)").bindparams(kinds=list(_NEW_KINDS)))
    _allow(kind for kind in _known_kinds() if kind not in _NEW_KINDS)
