"""Each process of a fleet loads the libraries that it uses, and no others: they cost memory, and time at each start."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

VENDORS = {"anthropic", "openai", "httpx2", "obstore"}
WEB = {"fastapi", "starlette", "uvicorn", "jinja2"}
FLOWER = {"flower", "tornado"}
ALEMBIC = {"alembic", "mako"}
TERMINAL = {"rich"}
LEDGER = {"sqlalchemy", "psycopg", "pydantic", "fleet.engine", "fleet.features"}

_WEB = (
    "from fleet import app; from fleet.engine import deps; from fleet.web.app import create_app\n"
    "app.load(app.chosen()); create_app(deps.build(app.settings()))"
)
PROCESSES = {
    "supervisor": (
        "import fleet.cli.app, fleet.cli.commands.up.command, fleet.cli.commands.up.run",
        LEDGER - {"fleet.engine", "fleet.features"}
        | VENDORS
        | WEB
        | FLOWER
        | ALEMBIC
        | {"PIL", "celery", "kombu", "redis", "httpx", "fleet.core.db"},
    ),
    "beat": (
        "import workers.command, workers.light, celery.bin.beat, celery.apps.beat",
        LEDGER | VENDORS | WEB | FLOWER | ALEMBIC | TERMINAL | {"PIL"},
    ),
    "flower": (
        "import workers.flower, workers.light, flower.command",
        LEDGER | VENDORS | WEB | ALEMBIC | TERMINAL | {"PIL"},
    ),
    "worker": (
        "import workers.command, workers.app, workers.tasks, celery.bin.worker, celery.apps.worker",
        VENDORS | WEB | FLOWER | ALEMBIC | TERMINAL,
    ),
    "web": (f"import fleet.web.__main__\n{_WEB}", (VENDORS - {"obstore"}) | FLOWER | ALEMBIC | TERMINAL),
    "preload": (
        "from fleet.cli.commands.up import preload; preload.load()",
        (VENDORS - {"obstore"}) | FLOWER | ALEMBIC | TERMINAL | {"fleet.cli.app"},
    ),
    "gallery": (
        "import fleet.sandbox.gallery.__main__",
        VENDORS | FLOWER | ALEMBIC | TERMINAL | {"celery", "kombu", "redis", "fleet.engine"},
    ),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_loads_no_library_that_it_does_not_use(process: str) -> None:
    load, unused = PROCESSES[process]
    script = f"{load}\nimport json, sys\nprint(json.dumps([name for name, one in sys.modules.items() if one]))"
    urls = {
        "FLEET_BROKER_URL": "redis://127.0.0.1:1/0",
        "FLEET_DATABASE_URL": "postgresql+psycopg://fleet@127.0.0.1:1/fleet",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env={**os.environ, **urls}
    )
    assert done.returncode == 0, done.stderr
    assert unused & set(json.loads(done.stdout.splitlines()[-1])) == set()
