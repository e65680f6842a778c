"""The hot statements as files: valid SQL for the migrated tables, with headers that say what they take and return."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from hatchling.builders.wheel import WheelBuilder
from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH

from fleet.core.character import TRAITS
from fleet.core.db import Base, sql
from fleet.core.db.sql import GroupStatement, SqlFile, Statement
from fleet.engine.agents.loop import ActingAgent, Due
from fleet.engine.agents.models import AgentRow
from fleet.engine.jobs.ledger import Claim
from tests import ROOT
from tests.conftest import PostgresForTests

FOLDER = "fleet.engine.sql"
_PATHS = [path for path in importlib.resources.files(FOLDER).iterdir() if path.name.endswith(".sql")]
NAMES = sorted(path.name.removesuffix(".sql") for path in _PATHS if not path.name.startswith("_"))
PARTS = sorted(path.name.removesuffix(".sql") for path in _PATHS if path.name.startswith("_"))
_BY_MACHINERY = {"calls", "patience", "now"}
_STEPS = ("D", "T1", "T3", "J1", "J2", "J3", "J4", "J5")
_COLUMN = re.compile(r"\b([a-z_]+)\.([a-z_]+)\b")
_FIELDS = [one for one in ActingAgent.__slots__ if one != "character"] + [one.name for one in TRAITS]
_AGENT = tuple(f"actor_{sa.inspect(AgentRow).columns[name].name}" for name in _FIELDS)


@pytest.fixture
def connection(postgres_server: PostgresForTests, migrated_template: str) -> Iterator[psycopg.Connection]:
    with postgres_server.connect(migrated_template) as connection:
        yield connection


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_is_what_its_header_says(connection: psycopg.Connection, name: str) -> None:
    file = sql.read(FOLDER, name)
    assert file.sentence.startswith(tuple(f"{step} {name}: " for step in _STEPS)) and file.sentence.endswith(".")
    used = set(sql._PARAMETER.findall(file.sql))
    if file.order is None:
        assert used - _BY_MACHINERY == set(file.parameters)
    else:
        assert used <= _BY_MACHINERY and file.order in file.parameters
        assert {column for table, column in _COLUMN.findall(file.sql) if table == "calls"} == {"n", *file.parameters}
    assert _returned(connection, file) == [
        column for one in file.returns for column in (_AGENT if one == "{agent}" else (one,))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_each_table_and_column_that_a_statement_names_is_in_the_metadata(name: str) -> None:
    text = sql.read(FOLDER, name).sql
    named = [(table, column) for table, column in _COLUMN.findall(text) if table in Base.metadata.tables]
    for table, column in named:
        assert column in Base.metadata.tables[table].columns, f"{table}.{column}"
    for table in re.findall(r"(?:FROM|JOIN|UPDATE|INTO)\s+(agents|ticks|job\w*s|controls|events)\b", text):
        assert table in Base.metadata.tables


@pytest.mark.parametrize("name", NAMES)
def test_the_driver_remembers_how_it_read_a_statement(name: str) -> None:
    """Symptom: the driver reads a text anew for each call if it is longer than what it caches."""
    file = sql.read(FOLDER, name)
    statement = Statement(file) if file.order is None else GroupStatement(file)
    assert len(statement._compiled[0]) <= MAX_CACHED_STATEMENT_LENGTH


@pytest.mark.parametrize("name", PARTS)
def test_a_part_says_whose_part_it_is(name: str) -> None:
    folder = importlib.resources.files(FOLDER)
    users = {
        one for one in NAMES if f"{{{name.removeprefix('_')}}}" in (folder / f"{one}.sql").read_text().split("\n--")[-1]
    }
    title = " ".join((folder / f"{name}.sql").read_text().replace("\n-- ", " ").split(":")[0].split())
    assert title.startswith("-- Part of ")
    assert set(re.findall(r"\w+", title.removeprefix("-- Part of "))) - {"and"} == users


def test_the_files_are_in_the_wheel() -> None:
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"fleet/engine/sql/{path.name}" for path in _PATHS} <= packed


def test_rows_are_read_into_what_they_are_meant_for() -> None:
    assert sql.read(FOLDER, "claim_due_agents").returns == Due._fields
    assert set(Claim.__slots__) <= set(sql.read(FOLDER, "claim_job").returns)


def test_a_call_that_lacks_a_value_is_refused_instead_of_taken_as_null() -> None:
    statement = GroupStatement(sql.read(FOLDER, "enter_sending"))
    with pytest.raises(TypeError, match="token"):
        statement._numbered(0, {"job_id": "1", "lease_s": 1.0})


def _returned(connection: psycopg.Connection, file: SqlFile) -> list[str]:
    """Return the columns that the server says the statement returns. It refuses what it cannot read."""
    names = list(dict.fromkeys(sql._PARAMETER.findall(file.sql)))
    text = sql._PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", file.sql)
    prepared = connection.pgconn.prepare(file.name.encode(), text.encode())
    assert not prepared.error_message, prepared.error_message.decode()
    described = connection.pgconn.describe_prepared(file.name.encode())
    return [bytes(described.fname(n) or b"").decode() for n in range(described.nfields)]
