"""The statements that write counts and their sums. `fleet.core.db.sql.read` describes their form."""
