"""ticks: indexes ask whether a tick is decided, no longer for its state

Revision: 0024, after 0023

A claim changes the state and the lease of a tick. As no index names them any more, PostgreSQL writes the claim in place
(a HOT update), without new index entries. Workers of the version before go on; their sweeps read the whole table until
they are replaced.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_OPEN, _UNDECIDED = "state IN ('due', 'deciding')", "decided_at IS NULL"
_OLD = (("uq_ticks_open", "agent_id", True), ("ix_ticks_open_due_at", "due_at", False))
_NEW = (("uq_ticks_undecided", "agent_id", True), ("ix_ticks_undecided_due_at", "due_at", False))
_CHECK = "ck_ticks_undecided"


def upgrade() -> None:
    op.execute(f"UPDATE ticks SET decided_at = due_at WHERE decided_at IS NULL AND NOT {_OPEN}")  # noqa: S608
    op.execute(f"ALTER TABLE ticks DROP CONSTRAINT IF EXISTS {_CHECK}")
    op.execute(f"ALTER TABLE ticks ADD CONSTRAINT {_CHECK} CHECK (({_OPEN}) = ({_UNDECIDED})) NOT VALID")
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE ticks VALIDATE CONSTRAINT {_CHECK}")
        _exchange(_NEW, _UNDECIDED, _OLD)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        _exchange(_OLD, _OPEN, _NEW)
    op.drop_constraint(op.f(_CHECK), "ticks", type_="check")


def _exchange(new: tuple[tuple[str, str, bool], ...], where: str, old: tuple[tuple[str, str, bool], ...]) -> None:
    """Build indexes while workers go on, then drop those that they replace. After a failure it begins anew."""
    for name, column, is_unique in new:
        op.drop_index(name, "ticks", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            name, "ticks", [column], unique=is_unique, postgresql_where=sa.text(where), postgresql_concurrently=True
        )
    for name, _, _ in old:
        op.drop_index(name, "ticks", if_exists=True, postgresql_concurrently=True)
