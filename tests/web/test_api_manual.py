"""docs/api.md is true: its commands run as written, its table names every route, its numbers are the code's."""

from __future__ import annotations

import os
import re
import subprocess

from fastapi.routing import APIRoute

from fleet.access import Permission
from fleet.access.idempotency_keys import ABANDONED, KEPT
from fleet.core.settings import Settings
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.features.users import service as accounts
from fleet.web.middleware import request_limits as middleware
from fleet.web.openapi import guarded
from fleet.web.requests import cursors
from fleet.web.requests.cursors import Paging
from fleet.web.server import running
from tests import ROOT
from tests.web_client import Web

MANUAL = (ROOT / "docs/api.md").read_text(encoding="utf-8")


def test_the_commands_of_the_manual_run_as_written(web: Web) -> None:
    blocks = re.findall(r"^```console\n(.*?)^```", MANUAL, re.M | re.S)
    script = "\n".join(re.sub(r"^\$ ", "", block, flags=re.M) for block in blocks)
    assert script.count("curl") > 6
    token = accounts.issue_token(web.deps, web.user("owner"), "manual", tuple(Permission), None)
    with running(web.deps) as url:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": os.environ["PATH"], "FLEET": url, "TOKEN": token},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    ada = lookup.agent(web.deps.db, "ada_lovelace")
    assert (ada.status, ada.vibe) == ("paused", "patient")


def test_the_manual_names_every_route_and_its_permission(web: Web) -> None:
    told = set(re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \| `([^`]+)` \|", MANUAL, re.M))
    there = {
        (method, path.removeprefix("/api/v1"), str(permission))
        for path, method, permission in guarded(web.app)
        if path.startswith("/api/v1/")
    }
    assert told == there


def test_the_numbers_of_the_manual_are_those_of_the_code() -> None:
    reads, writes = (Settings.model_fields[f"web_{kind}_per_minute"].default for kind in ("reads", "writes"))
    assert f"{reads} reads and {writes} writes a minute" in MANUAL
    assert f"`limit` is 1 to {cursors.MOST}, by default {Paging().limit}" in MANUAL
    assert f"more than {middleware.MOST_BYTES:,} bytes" in MANUAL
    assert (ABANDONED.total_seconds(), "after ten minutes" in MANUAL) == (600, True)
    assert f"for {KEPT.total_seconds() // 3600:.0f} hours" in MANUAL


def test_every_body_refuses_unknown_fields() -> None:
    """A typing error must not do half of what was meant: docs/api.md says 422."""
    bodies = {
        f"{route.path} {sorted(route.methods)}": route.body_field.field_info.annotation
        for feature in registry.current()
        for ref in feature.api
        for route in registry.load(ref).routes
        if isinstance(route, APIRoute) and route.body_field is not None
    }
    assert len(bodies) > 20
    assert [where for where, body in bodies.items() if body.model_config.get("extra") != "forbid"] == []
