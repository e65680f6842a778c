"""agents: weights, totals and configuration as JSON, so that no column names an action

The columns of the version before stay for its workers, and are dropped by the version after this one. Until then
triggers keep both in step: an insert or an edit by either version is seen by the other, and a total that the version
before raises is added to `totals`. `totals` alone is not written back: a finished job would write its agent's row
twice, or have it locked before each write (which any BEFORE UPDATE trigger does). The downgrade writes it back.

Revision: 0021, after 0020
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

WEIGHTS = {"post": 0.3, "comment": 0.4, "like": 0.5, "browse": 0.3}
"""Those of the version before, with what an agent of kind gallery does by default."""
CONFIG = {
    "scans": ("boolean", "true"),
    "scan_interval_s": ("integer", "3600"),
    "audience": ("text", "'public'"),
    "heeds_agents": ("boolean", "false"),
    "draft_days": ("smallint", "7"),
}
"""Type and default of the columns that become keys of `config`."""
INTERVALS = "30, 900, 1800, 3600, 7200, 21600, 43200, 86400"
_SUM = " + ".join(f"{name}_weight" for name in WEIGHTS)
CHECKS = {
    "autonomy": "autonomy IN ('autonomous', 'supervised')",
    "scan_interval": f"scan_interval_s IN ({INTERVALS})",
    "audience": "audience IN ('public', 'friends')",
    "draft_days": "draft_days BETWEEN 1 AND 90",
    "weights": f"least({', '.join(f'{name}_weight' for name in WEIGHTS)}) >= 0 AND 0 < {_SUM} AND {_SUM} < 'Infinity'",
}
OLD_COLUMNS = (*(f"{name}_weight" for name in WEIGHTS), *(f"total_{name}s" for name in WEIGHTS), *CONFIG)


def _documents(row: str) -> str:
    """Return the JSON columns as the columns of a row have it: totals above zero, and settings that are not defaults."""
    weights = ", ".join(f"'{name}', {row}.{name}_weight" for name in WEIGHTS)
    totals = ", ".join(f"'{name}', nullif({row}.total_{name}s, 0)" for name in WEIGHTS)
    config = ", ".join(f"'{name}', nullif({row}.{name}, {default})" for name, (_, default) in CONFIG.items())
    return f"""
        CASE WHEN {row}.kind = 'gallery' THEN jsonb_build_object({weights}) ELSE '{{}}' END,
        jsonb_strip_nulls(jsonb_build_object({totals})),
        CASE WHEN {row}.kind = 'gallery' THEN jsonb_strip_nulls(jsonb_build_object({config})) ELSE '{{}}' END
    """


def _columns(row: str) -> dict[str, str]:
    """Return the weights and settings of the version before as the JSON columns of an agent of kind gallery have it."""
    weights = {f"{n}_weight": f"coalesce(({row}.weights -> '{n}')::float8, {w})" for n, w in WEIGHTS.items()}
    config = {n: f"coalesce(({row}.config ->> '{n}')::{kind}, {default})" for n, (kind, default) in CONFIG.items()}
    return weights | config


def _totals(row: str) -> dict[str, str]:
    return {f"total_{name}s": f"coalesce(({row}.totals -> '{name}')::bigint, 0)" for name in WEIGHTS}


def _changed(pairs: dict[str, str]) -> str:
    """Return a document of those columns that an update has changed, by their keys."""
    values = (
        f"'{key}', CASE WHEN new.{column} IS DISTINCT FROM old.{column} THEN new.{column} END"
        for key, column in pairs.items()
    )
    return f"jsonb_strip_nulls(jsonb_build_object({', '.join(values)}))"


def _raised() -> str:
    """Return a document of the totals that an update has raised, from a row `agents`."""
    values = (
        f"'{name}', CASE WHEN new.total_{name}s <> old.total_{name}s THEN"
        f" coalesce((agents.totals -> '{name}')::bigint, 0) + new.total_{name}s - old.total_{name}s END"
        for name in WEIGHTS
    )
    return f"jsonb_strip_nulls(jsonb_build_object({', '.join(values)}))"


def _functions() -> dict[str, str]:
    filled = "\n".join(f"new.{name} := {value};" for name, value in (_columns("new") | _totals("new")).items())
    followed = ", ".join(f"{name} = {value}" for name, value in _columns("new").items())
    weights, config = {name: f"{name}_weight" for name in WEIGHTS}, {name: name for name in CONFIG}
    return {
        # Only the version before leaves the weights out.
        "agents_new": f"""
            IF new.weights IS NULL THEN
                SELECT {_documents("new")} INTO new.weights, new.totals, new.config;
            ELSIF new.kind = 'gallery' THEN
                {filled}
            ELSE
                new.browse_weight := 1;
            END IF;
            RETURN new;
        """,
        "agents_columns_changed": f"""
            UPDATE agents SET totals = totals || {_raised()},
                weights = CASE WHEN kind = 'gallery' THEN weights || {_changed(weights)} ELSE weights END,
                config = CASE WHEN kind = 'gallery' THEN config || {_changed(config)} ELSE config END
            WHERE id = new.id;
            RETURN NULL;
        """,
        "agents_documents_changed": f"""
            UPDATE agents SET {followed} WHERE id = new.id;
            RETURN NULL;
        """,
    }


_TRIGGERS = {
    "agents_new": "BEFORE INSERT ON agents FOR EACH ROW",
    # Not for what the other of the two writes.
    "agents_columns_changed": f"AFTER UPDATE OF {', '.join(OLD_COLUMNS)} ON agents FOR EACH ROW"
    " WHEN (pg_trigger_depth() = 0)",
    "agents_documents_changed": "AFTER UPDATE OF weights, config ON agents FOR EACH ROW"
    " WHEN (pg_trigger_depth() = 0 AND new.kind = 'gallery')",
}


def upgrade() -> None:
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_agents_{name}"), "agents", type_="check")
    for name in WEIGHTS:
        op.alter_column("agents", f"{name}_weight", server_default=sa.text("0"))
    op.add_column("agents", sa.Column("totals", JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("agents", sa.Column("weights", JSONB(), nullable=True))
    op.add_column("agents", sa.Column("config", JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.execute(f"UPDATE agents SET (weights, totals, config) = (SELECT {_documents('agents')})")
    op.alter_column("agents", "weights", nullable=False)
    documents = " AND ".join(f"jsonb_typeof({name}) = 'object'" for name in ("totals", "weights", "config"))
    op.create_check_constraint(op.f("ck_agents_documents"), "agents", documents)
    for name, body in _functions().items():
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
        op.execute(f"CREATE TRIGGER {name} {_TRIGGERS[name]} EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    for name in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON agents")
        op.execute(f"DROP FUNCTION {name}()")
    op.execute(f"UPDATE agents SET {', '.join(f'{n} = {value}' for n, value in _totals('agents').items())}")
    op.drop_constraint(op.f("ck_agents_documents"), "agents", type_="check")
    for name in ("config", "weights", "totals"):
        op.drop_column("agents", name)
    for name in WEIGHTS:
        op.alter_column("agents", f"{name}_weight", server_default=None)
    for name, rule in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_agents_{name}"), "agents", rule)
