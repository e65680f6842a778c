"""`python -m fleet.sandbox.shop`: the shop without a fleet, configured by FLEET_SHOP_* variables."""

from __future__ import annotations

import sys

from fleet.core import logs
from fleet.core.errors import FleetError
from fleet.sandbox.shop.config import from_environment
from fleet.sandbox.shop.server import serve


def main() -> int:
    """Serve until a stop signal; return the exit code."""
    logs.configure()
    try:
        serve(from_environment())
    except FleetError as error:
        sys.stderr.write(f"The shop cannot run: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
