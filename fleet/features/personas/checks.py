"""Check of `fleet check`: the persona files."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.cli.frame.check_result import CheckResult, fail, ok
from fleet.core.settings import Settings
from fleet.features.personas import library
from fleet.features.personas.settings import PersonasSettings

_ABOUT = "personas"


def files(settings: Settings) -> Iterator[CheckResult]:
    """Check the persona files; report the first problem."""
    problems = library.check(settings.of(PersonasSettings).personas_dir)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        yield fail(_ABOUT, f"{problems[0]}{more}", "`fleet persona check` shows all.")
    else:
        yield ok(_ABOUT, f"{len(library.load(settings.of(PersonasSettings).personas_dir))} personas")
