"""Nothing else needs the folder: every module loads, and no command, setting, job, table or template is left of it."""

import importlib
import pkgutil

import fleet.features
from fleet import app
from fleet.core.db import Base

features = app.load()
assert "experiments" not in features.features
for module in pkgutil.walk_packages(fleet.features.__path__, "fleet.features."):
    importlib.import_module(module.name)
app.load_tables()
assert not [name for name in Base.metadata.tables if "experiment" in name]
assert "experiments" not in features.settings_model.model_fields
assert "measure" not in features.jobs
assert "experiments" not in features.commands
