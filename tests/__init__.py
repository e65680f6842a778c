"""The tests of Fleet; `features/NAME` mirrors `fleet/features/NAME`."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
