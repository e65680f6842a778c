"""A worker's process without optional features: it starts, knows all tables, and does the fleet's own tasks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from fleet.engine import registry
from tests import ROOT
from tests.factories import Fleet
from tests.optional_features import OPTIONAL

PROCESS = """
import json
import alembic.command
import sqlalchemy as sa
from fleet.core import db
from fleet import app as features
from workers.app import app, deps
app.loader.import_default_modules()
from workers import tasks
tasks.dispatch()
tasks.sweep_up()
tasks.prune()
with deps().db.engine.connect() as connection:
    config = db._alembic_config(features.migration_folders())
    config.attributes["connection"] = connection
    alembic.command.check(config)  # compares all tables, also those of features that are left out
print(json.dumps({"tasks": sorted(app.tasks), "settings": sorted(type(deps().settings).model_fields)}))
"""


def test_a_worker_without_optional_features_starts_and_has_none_of_their_tasks_and_settings(fleet: Fleet) -> None:
    fleet.agent()
    settings = {
        "FLEET_DATABASE_URL": fleet.deps.settings.database_url, "FLEET_BROKER_URL": "memory://",
        "FLEET_FEATURES": ",".join(f"-{name}" for name in OPTIONAL),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], cwd=ROOT, capture_output=True, text=True, check=False, timeout=200,
        env={**os.environ, **settings},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    has = json.loads(done.stdout.splitlines()[-1])
    whole = registry.current()
    gone = [whole.features[name] for name in OPTIONAL]
    kinds = {job.kind for one in gone for job in one.jobs}
    assert not {f"fleet.{kind}" for kind in kinds} & set(has["tasks"])
    assert {f"fleet.{kind}" for kind in whole.jobs.keys() - kinds - {registry.MESSAGE.kind}} <= set(has["tasks"])
    fields = {field for one in gone if one.settings for field in registry.load(one.settings).model_fields}
    assert set(has["settings"]) == whole.settings_model.model_fields.keys() - fields
