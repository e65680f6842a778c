"""organisations, their members, and the organisation of agents, accounts and requests

Revision: 0037, after 0036

Everything belongs to the default organisation, and system agents and the account of the settings to none. Policies of
rows are made after the migrations, from the tables' declarations (`fleet.core.db.visibility`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

TIME, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")
DEFAULT = "6f2f4c0e-0000-4000-8000-000000000002"
SETTINGS_ACCOUNT = "6f2f4c0e-0000-4000-8000-000000000001"


def upgrade() -> None:
    op.create_table(
        "organisations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("voice", sa.String(2000), server_default="", nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("removed_at", TIME),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 60", name=op.f("ck_organisations_name")),
    )
    op.create_index(
        "uq_organisations_name", "organisations", [sa.text("lower(name)")], unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )  # fmt: skip
    op.execute(f"INSERT INTO organisations (id, name) VALUES ('{DEFAULT}', 'default')")
    op.create_table(
        "members",
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("organisation_id", sa.Uuid, sa.ForeignKey("organisations.id"), primary_key=True),
    )
    op.create_index("ix_members_organisation", "members", ["organisation_id"])
    op.add_column("invitations", sa.Column("organisation_id", sa.Uuid))
    op.create_foreign_key(
        op.f("fk_invitations_organisation_id"), "invitations", "organisations", ["organisation_id"], ["id"],
    )  # fmt: skip
    for table in ("agents", "accounts"):
        # The default is a constant: no row is rewritten.
        op.add_column(table, sa.Column("organisation_id", sa.Uuid, server_default=sa.text(f"'{DEFAULT}'")))
        op.create_foreign_key(
            op.f(f"fk_{table}_organisation_id"), table, "organisations", ["organisation_id"], ["id"],
        )  # fmt: skip
    op.create_index("ix_agents_organisation", "agents", ["organisation_id"])
    op.execute("UPDATE agents SET organisation_id = NULL WHERE surface = 'fleet'")
    op.execute(f"UPDATE accounts SET organisation_id = NULL WHERE id = '{SETTINGS_ACCOUNT}'")
    op.add_column("approval_requests", sa.Column("organisation_id", sa.Uuid))
    op.alter_column(
        "approval_requests", "organisation_id",
        server_default=sa.text("nullif(split_part(current_setting('fleet.organisations', true), ',', 1), '')::uuid"),
    )  # fmt: skip


def downgrade() -> None:
    op.execute("""
        DO $$ DECLARE one record; BEGIN
            FOR one IN SELECT policyname, schemaname, tablename FROM pg_policies WHERE schemaname = current_schema() LOOP
                EXECUTE format('DROP POLICY %I ON %I.%I', one.policyname, one.schemaname, one.tablename);
                EXECUTE format('ALTER TABLE %I.%I DISABLE ROW LEVEL SECURITY', one.schemaname, one.tablename);
            END LOOP;
        END $$
    """)
    op.drop_column("approval_requests", "organisation_id")
    op.drop_column("invitations", "organisation_id")
    op.drop_column("accounts", "organisation_id")
    op.drop_column("agents", "organisation_id")
    op.drop_table("members")
    op.drop_table("organisations")
