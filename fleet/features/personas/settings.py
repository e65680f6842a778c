"""Settings of this feature: the folder of persona files."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class PersonasSettings(BaseModel):
    """Where personas come from."""

    personas_dir: Path | None = Field(None, description="folder of persona files; the shipped ones if empty")
