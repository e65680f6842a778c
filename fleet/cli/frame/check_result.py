"""What a check of `fleet check` found; features yield findings from the checks that they register."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckLevel(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found."""

    about: str
    level: CheckLevel
    message: str
    fix: str | None = None


def ok(about: str, message: str) -> CheckResult:
    """Return that all is well."""
    return CheckResult(about, CheckLevel.OK, message)


def warn(about: str, message: str, fix: str | None = None) -> CheckResult:
    """Return what somebody should look at; `fleet check` still succeeds."""
    return CheckResult(about, CheckLevel.WARN, message, fix)


def fail(about: str, message: str, fix: str | None = None) -> CheckResult:
    """Return what is wrong."""
    return CheckResult(about, CheckLevel.FAIL, message, fix)
