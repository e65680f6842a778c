"""hooks: webhooks out and in, and how far each reader of events has come

Revision: 0012, after 0011
"""

import re
from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_CLOCK = sa.text("clock_timestamp()")
_TIME = sa.DateTime(timezone=True)
_NEW_KINDS = ("deliver", "handle")


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
    _subscriptions()
    _sources()
    op.create_table(
        "event_readers",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("txid", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("parked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_readers")),
    )


def _subscriptions() -> None:
    op.create_table(
        "hook_subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("subjects", postgresql.ARRAY(sa.String(length=80)), nullable=False),
        sa.Column("description", sa.String(length=200), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("active_since", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("secret_key_id", sa.String(length=12), nullable=False),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_key_id", sa.String(length=12), nullable=True),
        sa.Column("previous_until", _TIME, nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("updated_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", _TIME, nullable=True),
        sa.Column("last_failure_at", _TIME, nullable=True),
        sa.Column("disabled_at", _TIME, nullable=True),
        sa.Column("disabled_reason", sa.String(length=300), nullable=True),
        sa.CheckConstraint("active = (disabled_at IS NULL)", name=op.f("ck_hook_subscriptions_active")),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_reason IS NULL)", name=op.f("ck_hook_subscriptions_disabled")
        ),
        sa.CheckConstraint("cardinality(subjects) BETWEEN 1 AND 50", name=op.f("ck_hook_subscriptions_subjects")),
        sa.CheckConstraint("(failures = 0) = (failing_since IS NULL)", name=op.f("ck_hook_subscriptions_failing")),
        sa.CheckConstraint(
            "(previous_secret IS NULL) = (previous_until IS NULL) AND"
            " (previous_secret IS NULL) = (previous_key_id IS NULL)",
            name=op.f("ck_hook_subscriptions_previous"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_subscriptions")),
    )
    op.create_table(
        "hook_deliveries",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("position", sa.String(length=50), nullable=False),
        sa.Column("created_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("tried_at", _TIME, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.String(length=500), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_hook_deliveries_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["hook_subscriptions.id"],
            name=op.f("fk_hook_deliveries_subscription_id_hook_subscriptions"), ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_hook_deliveries")),
    )
    op.create_index("ix_hook_deliveries_newest", "hook_deliveries", ["subscription_id", "created_at", "job_id"])


def _sources() -> None:
    op.create_table(
        "hook_sources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("description", sa.String(length=200), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("form", sa.String(length=10), nullable=False),
        sa.Column("header", sa.String(length=100), nullable=False),
        sa.Column("encoding", sa.String(length=10), nullable=False),
        sa.Column("prefix", sa.String(length=20), server_default="", nullable=False),
        sa.Column("timestamp_header", sa.String(length=100), server_default="", nullable=False),
        sa.Column("tolerance_s", sa.Integer(), nullable=False),
        sa.Column("id_header", sa.String(length=100), server_default="", nullable=False),
        sa.Column("id_path", sa.String(length=200), server_default="", nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("secret_key_id", sa.String(length=12), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("updated_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9_-]{0,59}$'", name=op.f("ck_hook_sources_name")),
        sa.CheckConstraint("form IN ('plain', 'stamped')", name=op.f("ck_hook_sources_form")),
        sa.CheckConstraint("encoding IN ('hex', 'base64')", name=op.f("ck_hook_sources_encoding")),
        sa.CheckConstraint("tolerance_s BETWEEN 1 AND 86400", name=op.f("ck_hook_sources_tolerance")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_sources")),
        sa.UniqueConstraint("name", name=op.f("uq_hook_sources_name")),
    )
    op.create_table(
        "hook_received",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="received", nullable=False),
        sa.Column("content_type", sa.String(length=100), server_default="", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", _TIME, server_default=_CLOCK, nullable=False),
        sa.Column("processed_at", _TIME, nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.CheckConstraint(
            "state IN ('received', 'processing', 'processed', 'failed')", name=op.f("ck_hook_received_state")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["hook_sources.id"], name=op.f("fk_hook_received_source_id_hook_sources"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_received")),
        sa.UniqueConstraint("source_id", "external_id", name="uq_hook_received_once"),
    )
    op.create_index("ix_hook_received_newest", "hook_received", ["source_id", "received_at", "id"])
    op.create_index("ix_hook_received_received_at", "hook_received", ["received_at"])


def downgrade() -> None:
    for table in ("event_readers", "hook_received", "hook_sources", "hook_deliveries", "hook_subscriptions"):
        op.drop_table(table)
    op.execute(sa.text("DELETE FROM jobs WHERE kind = ANY(:kinds)").bindparams(kinds=list(_NEW_KINDS)))
    _allow(kind for kind in _known_kinds() if kind not in _NEW_KINDS)
