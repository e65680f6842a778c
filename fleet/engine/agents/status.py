"""The states of an agent. Apart from the tables, so that commands know them without a database driver."""

from __future__ import annotations

from enum import StrEnum


class AgentStatus(StrEnum):
    """What an agent is doing with its life."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    ERROR = "error"
