"""The value of a setting as text, for pages and commands. Imports nothing: commands start without a database."""

from __future__ import annotations

from typing import Any


def shown(name: str, value: Any) -> str:
    """Return a value as JSON holds it as text; empty for none."""
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return ""
        case list():
            return ", ".join(value)
        case int() | float() if name.endswith("_s"):
            return f"{value:,g} s"
        case float():
            return f"{value:g}"
    return str(value)
