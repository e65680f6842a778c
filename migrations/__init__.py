"""Database revisions, run by `fleet migrate` through `fleet.core.db.migrate`."""
