"""`python -m fleet.sandbox.gallery`: the gallery without a fleet, configured by FLEET_GALLERY_* variables."""

from __future__ import annotations

import sys

from fleet.core import logs
from fleet.core.errors import FleetError
from fleet.sandbox.gallery.config import from_environment
from fleet.sandbox.gallery.server import serve


def main() -> int:
    """Serve until a stop signal; return the exit code."""
    logs.configure()
    try:
        serve(from_environment())
    except FleetError as error:
        sys.stderr.write(f"The gallery cannot run: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
