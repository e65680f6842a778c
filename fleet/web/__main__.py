"""`python -m fleet.web`: the dashboard and the API by themselves, set up by FLEET_* variables; see `fleet web`."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from fleet import app
from fleet.core import logs
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine import deps
from fleet.web import server


def main() -> int:
    """Serve until a signal ends the process; returns the exit code."""
    try:
        features = app.load(app.chosen())
        given = app.settings()
        logs.configure(given.log_level, json=given.log_json)
        built = deps.build(given)
        try:
            for check in features.parts("checks_before_serving"):
                check(built)
            with ExitStack() as beside:
                for run in features.parts("beside_web"):
                    beside.enter_context(run(built))
                server.serve(built, host=os.environ.get("FLEET_WEB_HOST", "127.0.0.1"), port=_port())
        finally:
            built.close()
    except FleetError as error:
        sys.stderr.write(f"The dashboard cannot run: {error}\n")
        return error.exit_code
    return 0


def _port() -> int:
    given = os.environ.get("FLEET_WEB_PORT", "8630")
    if not given.isdecimal() or int(given) > 65_535:
        raise InvalidInput(f"FLEET_WEB_PORT is no port: {given!r}.", fix="It is a number from 0 to 65535.")
    return int(given)


if __name__ == "__main__":
    sys.exit(main())
