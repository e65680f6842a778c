"""media: addresses from which pictures were fetched

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "media",
        sa.Column("url_hash", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("lease_token", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("object_key", sa.String(length=100), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("content_type", sa.String(length=20), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'fetching') = (lease_until IS NOT NULL)", name=op.f("ck_media_lease")),
        sa.CheckConstraint("(state IN ('failed', 'refused')) = (retry_at IS NOT NULL)", name=op.f("ck_media_retry")),
        sa.CheckConstraint("state IN ('fetching', 'kept', 'failed', 'refused')", name=op.f("ck_media_state")),
        sa.CheckConstraint(
            "state <> 'kept' OR num_nulls(object_key, sha256, content_type, width, height, size_bytes, fetched_at) = 0",
            name=op.f("ck_media_kept"),
        ),
        sa.PrimaryKeyConstraint("url_hash", name=op.f("pk_media")),
    )
    op.create_index(
        "ix_media_retry_at", "media", ["retry_at"], postgresql_where=sa.text("retry_at IS NOT NULL")
    )
    op.create_index(
        "ix_media_object_key", "media", ["object_key"], postgresql_where=sa.text("object_key IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("media")
