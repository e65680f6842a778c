"""approvals: requests, the record of decisions, and jobs that notify

Revision: 0005, after 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_LIST = sa.text("'{}'")
_KINDS = ("post", "comment", "like", "browse", "provision", "deprovision", "message")

KEEP = """
CREATE FUNCTION keep_approval_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the record of decisions is append-only' USING ERRCODE = 'restrict_violation';
END
$$
"""
KEPT = """
CREATE TRIGGER approval_decisions_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON approval_decisions
FOR EACH STATEMENT EXECUTE FUNCTION keep_approval_decisions()
"""


def upgrade() -> None:
    op.create_table(
        "approval_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.String(length=30), nullable=False),
        sa.Column("resource_id", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=30), nullable=False),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("facts", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("summary", sa.String(length=300), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="pending", nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("approvers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("min_approvals", sa.Integer(), nullable=False),
        sa.Column("escalate_to", postgresql.ARRAY(sa.Text()), server_default=_LIST, nullable=False),
        sa.Column("created_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("escalate_at", _TIME, nullable=True),
        sa.Column("next_step_at", _TIME, nullable=True),
        sa.Column("announced_at", _TIME, nullable=True),
        sa.Column("reminded_at", _TIME, nullable=True),
        sa.Column("escalated_at", _TIME, nullable=True),
        sa.Column("settled_at", _TIME, nullable=True),
        sa.Column("settled_by", sa.String(length=100), nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn')",
            name=op.f("ck_approval_requests_state"),
        ),
        sa.CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name=op.f("ck_approval_requests_settled")),
        sa.CheckConstraint("(state = 'pending') = (next_step_at IS NOT NULL)", name=op.f("ck_approval_requests_steps")),
        sa.CheckConstraint(
            "min_approvals > 0 AND revision > 0 AND cardinality(approvers) > 0",
            name=op.f("ck_approval_requests_approvers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_requests")),
    )
    op.create_index(
        "uq_approval_requests_open", "approval_requests", ["resource", "resource_id", "action"],
        unique=True, postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_approval_requests_steps", "approval_requests", ["next_step_at"],
        postgresql_where=sa.text("next_step_at IS NOT NULL"),
    )
    op.create_index("ix_approval_requests_created_at", "approval_requests", ["created_at", "id"])
    op.create_index("ix_approval_requests_state", "approval_requests", ["state", "created_at", "id"])
    op.create_index("ix_approval_requests_agent", "approval_requests", ["agent_id", "created_at", "id"])
    op.create_index(
        "ix_approval_requests_resource", "approval_requests", ["resource", "resource_id", "action", "created_at"]
    )
    op.create_table(
        "approval_decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("by_name", sa.String(length=100), nullable=False),
        sa.Column("by_roles", postgresql.ARRAY(sa.Text()), server_default=_LIST, nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("decided_at", _TIME, server_default=_NOW, nullable=False),
        sa.CheckConstraint(
            "verdict IN ('approve', 'reject', 'amend', 'escalate', 'expire', 'withdraw')",
            name=op.f("ck_approval_decisions_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["approval_requests.id"], name=op.f("fk_approval_decisions_request_id_approval_requests")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_decisions")),
    )
    op.create_index(
        "uq_approval_decisions_one_voice", "approval_decisions", ["request_id", "revision", "by_name"],
        unique=True, postgresql_where=sa.text("verdict = 'approve'"),
    )
    op.create_index("ix_approval_decisions_request", "approval_decisions", ["request_id", "id"])
    op.create_index("ix_approval_decisions_decided_at", "approval_decisions", ["decided_at"])
    op.execute(KEEP)
    op.execute(KEPT)
    _allow(*_KINDS, "notify")


def downgrade() -> None:
    # They mean nothing to the version before; what they told was told.
    op.execute("DELETE FROM jobs WHERE kind = 'notify'")
    _allow(*_KINDS)
    op.drop_table("approval_decisions")
    op.drop_table("approval_requests")
    op.execute("DROP FUNCTION keep_approval_decisions()")


def _allow(*kinds: str) -> None:
    """Name the kinds of jobs. Looked through afterwards, while workers go on: a big table is not locked for that."""
    op.drop_constraint(op.f("ck_jobs_kind"), "jobs", type_="check")
    words = ", ".join(repr(kind) for kind in kinds)
    op.execute(f"ALTER TABLE jobs ADD CONSTRAINT ck_jobs_kind CHECK (kind IN ({words})) NOT VALID")
    op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_kind")
