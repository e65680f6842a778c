"""The statements that every call with limits needs. `fleet.core.db.sql.read` describes their form."""
