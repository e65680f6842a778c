"""`python -m tests.stores.chaos`: run the harness of stores; the exit code is 1 when a promise was broken."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.stores import servers
from tests.stores.chaos.run import run


def main() -> int:
    """Run, and write the report as text and as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--products", type=int, default=5000, help="of both shops together")
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--home", type=Path, default=None, help="an empty folder for the run, which stays")
    parser.add_argument("--json", type=Path, default=None, help="where to write the report as JSON")
    given = parser.parse_args()
    if lacking := servers.lacking():
        sys.exit(f"{lacking}. {servers.CALL}")
    report = run(given.minutes, given.products, given.seed, home=given.home, keeps=given.home is not None)
    print(report.to_text())
    if given.json is not None:
        given.json.write_text(json.dumps(report.to_data(), indent=1, default=str) + "\n")
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
