"""Ages and groups by which results are shown. Pure: the command line reads them without the database."""

from __future__ import annotations

from enum import StrEnum

AGES_H = (1, 24, 72)
"""Hours after a post at which its likes and comments are read."""


class Whose(StrEnum):
    """Whose likes and comments are compared."""

    PEOPLE = "people"
    AGENTS = "agents"
    EVERYBODY = "everybody"
