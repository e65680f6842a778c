"""Settings of this feature: the rules, who decides at the terminal, and which dead letters open requests."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, Field, field_validator

from fleet.core.settings import CommaSeparated


class ApprovalsSettings(BaseModel):
    """Settings of approvals."""

    approval_rules: Path | None = Field(None, description="file of approval rules; the shipped ones if empty")
    roles_of: CommaSeparated = Field(
        (), description="roles of users at the command line, NAME=ROLE+ROLE, separated by commas"
    )
    retry_by_approval: CommaSeparated = Field(
        (), description="kinds of dead letters whose replay needs an approval request, separated by commas"
    )

    @field_validator("roles_of")
    @classmethod
    def _name_and_roles(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [entry for entry in entries if not re.fullmatch(r"[^=\s]{1,100}=[a-z_]+(\+[a-z_]+)*", entry)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not of the form NAME=ROLE+ROLE")
        return entries
