"""The scopes of pauses. Light: commands offer them without loading the database."""

from __future__ import annotations

SCOPES = ("fleet", "surface", "account", "organisation", "persona", "agent", "kind")
ALL = "*"
"""The key of the scope fleet, which covers everything."""
