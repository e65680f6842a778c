"""jobs: kinds are what features register, no longer a list of the database

Revision: 0020, after 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_jobs_kind"), "jobs", type_="check")


def downgrade() -> None:
    kinds = (
        "post", "comment", "like", "browse", "provision", "deprovision", "measure", "react", "connect", "scan_feed",
        "revise_draft", "notify", "deliver", "handle", "message",
    )  # fmt: skip
    op.create_check_constraint(op.f("ck_jobs_kind"), "jobs", f"kind IN ({', '.join(repr(kind) for kind in kinds)})")
