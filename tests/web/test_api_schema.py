"""The API keeps what its OpenAPI document promises, whatever is sent to it: every route, by schemathesis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.case import Case
from schemathesis.specs.openapi import checks

from fleet.accounts.sealing import new_key
from tests.factories import Fleet, make_fleet
from tests.web.api_world import World, world
from tests.web_client import Web

EXAMPLES = int(os.environ.get("FLEET_TEST_API_EXAMPLES", "4"))
"""Requests to each route; some hundred find more, and take an hour."""
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]


@pytest.fixture
def unlimited(database_url: str, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet whose API may be asked as often as anybody likes."""
    made = make_fleet(
        database_url,
        web_reads_per_minute=0,
        web_writes_per_minute=0,
        home=tmp_path,
        web_url="http://testserver",
        secret_keys=new_key(),
    )
    yield made
    made.deps.close()


def requests_of(operation: Any, there: World) -> st.SearchStrategy[Case]:
    """Return right requests about what is there, and wrong ones."""
    parameters = {one.name for one in operation.path_parameters}
    named = {name: st.sampled_from(known) for name, known in there.names.items() if name in parameters}
    right = st.fixed_dictionaries(named).flatmap(
        lambda names: operation.as_strategy(GenerationMode.POSITIVE, path_parameters=names or None)
    )
    return st.one_of(right, operation.as_strategy(GenerationMode.NEGATIVE))


def broken_promises(operation: Any, there: World, token: str) -> str | None:
    """Send requests to one route and return what it did against its description."""

    @hypothesis.settings(
        max_examples=EXAMPLES, database=None, deadline=None, derandomize="FLEET_TEST_API_EXAMPLES" not in os.environ,
        suppress_health_check=list(hypothesis.HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    @hypothesis.given(case=requests_of(operation, there))
    def asked(case: Case) -> None:
        case.validate_response(case.call(headers={"authorization": token}), checks=CHECKS)

    try:
        asked()
    except FailureGroup as failures:
        return f"{operation.label}: {failures} {failures.exceptions}"
    return None


@pytest.mark.timeout(900)
@pytest.mark.parametrize("reads", [True, False], ids=["reads", "writes"])
def test_every_route_keeps_its_promises(unlimited: Fleet, reads: bool) -> None:
    there, web = world(unlimited), Web(unlimited)
    token = web.program().headers["authorization"]
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", web.app)
    # Whoever asks is known by the token below; a wrong one of schemathesis' would be replaced, and called accepted.
    schema.config.generation.update(with_security_parameters=False)
    operations = [one.ok() for one in schema.get_all_operations()]
    mine = [one for one in operations if (one.method.lower() == "get") is reads]
    mine.sort(key=lambda one: one.method.lower() == "delete")  # what is asked about should be there still
    assert len(mine) > 20
    assert [said for one in mine if (said := broken_promises(one, there, token))] == []
