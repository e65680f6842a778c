"""Alembic revisions of the lamp's table, on the branch `lamp`."""
