"""pauses and budgets of organisations; who edits settings in a fleet edits personas, rules and experiments by `fleet.edit`

Revision: 0039, after 0041

The columns `scope` are part of policies, which Postgres does not alter: those of members are dropped, and made again
from the tables' declarations after the migrations. Until then, members have no privilege on the two tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0041"
branch_labels = None
depends_on = None

PAUSES, BUDGETS = ("fleet", "surface", "account", "persona", "agent", "kind"), ("fleet", "persona", "agent", "provider")


def upgrade() -> None:
    _drop_policies_of_members()
    _set_scopes("controls", [*PAUSES, "organisation"], 12)
    _set_scopes("budgets", [*BUDGETS, "organisation"], 12)
    op.add_column("llm_reservations", sa.Column("organisation_id", sa.Uuid))
    op.execute("""
        UPDATE llm_reservations SET organisation_id = agents.organisation_id
          FROM agents WHERE agents.id = llm_reservations.agent_id
    """)
    op.execute("UPDATE tokens SET scopes = scopes || 'fleet.edit'::varchar WHERE 'settings.edit' = ANY (scopes)")


def downgrade() -> None:
    op.execute("UPDATE tokens SET scopes = array_remove(scopes, 'fleet.edit')")
    op.drop_column("llm_reservations", "organisation_id")
    _drop_policies_of_members()
    op.execute("DELETE FROM budgets WHERE scope = 'organisation'")
    op.execute("DELETE FROM controls WHERE scope = 'organisation'")
    _set_scopes("budgets", BUDGETS, 10)
    _set_scopes("controls", PAUSES, 10)


def _set_scopes(table, scopes, length) -> None:
    """Let a table hold these scopes. No row is rewritten."""
    op.drop_constraint(op.f(f"ck_{table}_scope"), table, type_="check")
    op.alter_column(table, "scope", type_=sa.String(length), existing_nullable=False)
    named = ", ".join(f"'{one}'" for one in scopes)
    op.create_check_constraint(op.f(f"ck_{table}_scope"), table, f"scope IN ({named})")


def _drop_policies_of_members() -> None:
    op.execute("""
        DO $$ DECLARE one record; BEGIN
            FOR one IN SELECT policyname, schemaname, tablename, roles FROM pg_policies
                WHERE schemaname = current_schema() AND tablename IN ('controls', 'budgets')
            LOOP
                IF one.policyname LIKE 'fleet_member_%' THEN
                    EXECUTE format('REVOKE ALL ON %I.%I FROM %I', one.schemaname, one.tablename, one.roles[1]);
                    EXECUTE format('DROP POLICY %I ON %I.%I', one.policyname, one.schemaname, one.tablename);
                ELSE  -- without it they are made again
                    EXECUTE format('COMMENT ON POLICY %I ON %I.%I IS NULL', one.policyname, one.schemaname, one.tablename);
                END IF;
            END LOOP;
        END $$
    """)
