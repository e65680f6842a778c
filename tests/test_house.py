"""The rules of the house that no tool knows: sizes, preambles, words, clocks, charts, constraints.

Each test lists every offender, so that one run tells all there is to mend. Rules about who may import whom are in
.importlinter; rules about docs are in test_docs.py.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa

from fleet.core import db
from fleet.core.queue import QUEUES
from fleet.engine import registry
from fleet.engine.agents.status import AgentStatus
from fleet.engine.jobs.states import MOVES, DeadReason, JobState
from fleet.engine.policy import Priority
from fleet.engine.scopes import SCOPES
from fleet.features.approvals.states import DecisionKind, RequestState
from fleet.features.drafts.states import DraftKind, DraftStatus
from fleet.features.drafts.states import OwnerAnswer as LessonDecision
from fleet.features.media.states import MediaState
from tests import source_files

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("fleet", "workers", "migrations", "personas", "beat_schedule.py")
LONGEST_FUNCTION = 60
LONGEST_FILE = 600  # no file is torn to fit
MOST_MODULES = 15
LONGEST_PREAMBLE = 7  # six lines, and the blank one below the first
MADE = ("__pycache__", "build", "dist", "node_modules")
BELOW_FEATURES = ("engine", "core", "access", "spending", "accounts")
ORDINARY = {
    "connect",
    "delete",
    "edit",
    "follow",
    "handle",
    "hooks",
}  # kinds of jobs and agents, but common words of programs as well
NAMES_KINDS = {
    "fleet/core/settings.py": "names of settings from before FLEET_CAPS, and settings that several features read",
    "fleet/accounts/directory.py": "the setting with the address of the settings' account",
    "fleet/core/db/roles.py": "a table that the app's role may only add to",
}
"""Why a file below the features may name a kind."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _preamble(path: Path) -> str | None:
    """Return a module's docstring, parsed only where it is not written as ours are."""
    usual = re.match(r'"""((?:[^"\\]|"(?!""))+)"""\n', source_files.text(path))
    return inspect.cleandoc(usual[1]) if usual else ast.get_docstring(source_files.tree(path))


def _named(path: Path, what: object = "") -> str:
    return f"{path.relative_to(ROOT)} {what}".strip()


def _modules(*roots: str) -> list[Path]:
    found: list[Path] = []
    for root in roots:
        path = ROOT / root
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def _written_by_people(*roots: str) -> list[Path]:
    """Return the modules but for migrations, which Alembic writes."""
    return [path for path in _modules(*roots) if "versions" not in path.parts]


@cache
def _own_files() -> tuple[Path, ...]:
    """Return every text file of the repository; hidden folders hold caches and data, but for two."""
    found: list[Path] = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [name for name in inner if name in (".ci", ".github") or not (name.startswith(".") or name in MADE)]
        found += [path for name in names if (path := Path(folder, name)).is_file() and name != "uv.lock"]
    return tuple(path for path in sorted(found) if b"\0" not in path.read_bytes()[:4096])


def _functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(source_files.tree(path)) if isinstance(node, Function))


def _may_have_a_long_function(path: Path) -> bool:
    """Say whether a `def` is far from the next `def`, `class` or decorator of its depth; parsing is expensive."""
    open_: list[tuple[int, int]] = []  # depth and line of the functions that may not have ended
    lines = source_files.text(path).splitlines()
    for number, line in enumerate([*lines, "@"]):
        if start := re.match(r"( *)(?:(?:async )?def |class |@)", line):
            depth = len(start[1])
            if any(number - since > LONGEST_FUNCTION for at, since in open_ if at >= depth):
                return True
            open_ = [(at, since) for at, since in open_ if at < depth]
            open_ += [(depth, number)] if "def " in start[0] else []
    return False


def test_functions_fit_on_a_screen() -> None:
    long = [
        _named(path, f"{function.name}: {lines} lines")
        for path in _written_by_people(*SHIPPED)
        if _may_have_a_long_function(path)
        for function in _functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not long


def test_files_hold_one_idea() -> None:
    long = [
        _named(path, f"{lines} lines")
        for path in _written_by_people("fleet", "workers", "beat_schedule.py")
        if (lines := len(source_files.text(path).splitlines())) > LONGEST_FILE
    ]
    assert not long


def test_folders_are_not_crowded() -> None:
    modules = Counter(_named(path.parent) for path in _modules("fleet", "workers") if path.name != "__init__.py")
    crowded = {folder for folder, count in modules.items() if count > MOST_MODULES}
    assert not crowded, "group what belongs together"


def test_every_module_says_what_lives_there() -> None:
    lacking, long = [], []
    shipped = set(_written_by_people(*SHIPPED))
    for path in _modules(*SHIPPED, "tests", "bench"):
        preamble = _preamble(path)
        if preamble is None and not (path.name == "__init__.py" and "tests" in path.parts):
            lacking.append(_named(path))
        # Alembic's revisions and tests may tell more.
        if preamble and path in shipped and len(preamble.splitlines()) > LONGEST_PREAMBLE:
            long.append(_named(path))
    assert not lacking
    assert not long


def test_every_package_has_a_face() -> None:
    faceless = {
        _named(path.parent)
        for path in _modules("fleet", "workers", "migrations", "personas")
        if not (path.parent / "__init__.py").exists() and path.parent.name != "versions"
    }
    assert not faceless


def _may_have_unexplained_functions(path: Path) -> bool:
    """Say whether a public `def` has no docstring below it, but for methods of one line; parsing is expensive."""
    lines = [*source_files.text(path).splitlines(), "@"]
    for number, line in enumerate(lines):
        if start := re.match(r"( *)(?:async )?def (?!_)", line):
            rest = itertools.dropwhile(lambda one: not re.search(r":(?: \.\.\.)?(?: *#.*)?$", one), lines[number:])
            _, body, following, *_ = [*filter(str.strip, itertools.islice(rest, 6)), "@", "@"]
            is_one_line = bool(start[1]) and not following.startswith(start[1] + "  ")
            if not (re.match(r' *r?"""', body) or is_one_line):
                return True
    return False


def test_public_functions_say_what_they_do() -> None:
    silent = [
        _named(path, f"{'.'.join(place)}")
        for path in _written_by_people("fleet", "workers")
        if _may_have_unexplained_functions(path)
        for place, function in _public(source_files.tree(path).body)
        if ast.get_docstring(function) is None and not _explained_elsewhere(path, place, function)
    ]
    assert not silent


def _public(body: Iterable[ast.stmt], owner: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Function]]:
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield (*owner, node.name), node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public(node.body, (*owner, node.name))


def _explained_elsewhere(path: Path, place: tuple[str, ...], function: Function) -> bool:
    """Say whether a method is one line that its name tells, or the override of one that is explained."""
    if len(place) == 1:
        return False
    if len(function.body) == 1:
        return True
    found: Any = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for name in place:
        found = getattr(found, name)
    return bool(inspect.getdoc(found))


def test_modules_are_named_by_what_is_in_them() -> None:
    vague = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
    offenders = [
        _named(path) for path in _modules(*SHIPPED, "tests", "bench") if vague & {path.stem, *path.stem.split("_")}
    ]
    assert not offenders


def test_only_one_module_reads_the_wall_clock() -> None:
    wall = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
            ("time", "time_ns"), ("Instant", "now")}  # fmt: skip
    readers = [
        _named(path, f"line {node.lineno}")
        for path in _modules(*SHIPPED)
        if path != ROOT / "fleet/core/clock.py"
        for node in source_files.nodes(path, r"\b(?:datetime|date|time|Instant)\s*\.\s*(?:now|utcnow|today|time)")
        if isinstance(node, ast.Attribute) and (ast.unparse(node.value).rpartition(".")[2], node.attr) in wall
    ]
    assert not readers


def test_no_error_is_swallowed_by_a_bare_except() -> None:
    bare = [
        _named(path, f"line {node.lineno}")
        for path in _modules(*SHIPPED, "tests", "bench")
        for node in source_files.nodes(path, r"\bexcept\s*(?:\\\s*)?:")
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert not bare


def test_only_doors_print() -> None:
    printers = [
        _named(path, f"line {node.lineno}")
        for path in _modules(*SHIPPED)
        if path.relative_to(ROOT).parts[:2] not in (("fleet", "cli"), ("fleet", "sandbox"))
        for node in source_files.nodes(path, r"\bp?print\b")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "pprint")
    ]
    assert not printers


def test_nothing_is_left_for_later() -> None:
    # Written so that this file does not find itself.
    marks = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K]|NotImplementedErro[r])\b")
    left = [
        _named(path, f"line {number}")
        for path in _own_files()
        for number, line in enumerate(source_files.text(path).splitlines(), 1)
        if marks.search(line)
    ]
    assert not left


def test_no_file_names_somebodys_machine_or_a_package_index() -> None:
    places = re.compile(r"/(?:home|Users)/\w|/[r]oot/|pypi[.]org|pythonhosted[.]org|npmjs[.]org")
    found = [
        _named(path, f"line {number}")
        for path in _own_files()
        for number, line in enumerate(source_files.text(path).splitlines(), 1)
        if places.search(line)
    ]
    assert not found


def test_locks_name_hashes_and_no_address() -> None:
    for name in ("requirements.lock", "deploy/runtime.lock", "deploy/build.lock", "bench/bench.lock",
                 "tests/browser.lock", "tests/mastodon.lock", "tests/stores/oscar.lock"):  # fmt: skip
        lock = source_files.text(ROOT / name)
        pins = re.findall(r"^[a-z0-9][\w.-]*==\S+[^\n]*\n(?: {4}(--hash=sha256:))?", lock, re.M)
        assert pins
        assert all(pins), f"{name}: a pin without a hash"
        assert "://" not in lock, f"{name}: an address"


def test_two_pages_of_a_group_of_the_navigation_never_share_a_place() -> None:
    places = Counter((item.group, item.order) for item in registry.current().nav)
    assert not [place for place, pages in places.items() if pages > 1]


def test_the_beat_schedule_is_plain_data() -> None:
    tree = source_files.tree(ROOT / "beat_schedule.py")
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)]
    (assignment,) = [node for node in tree.body if isinstance(node, ast.Assign)]
    schedule = ast.literal_eval(assignment.value)
    tasks = set(re.findall(r'name="(fleet\.[a-z_]+)"', source_files.text(ROOT / "workers/tasks.py")))
    assert {entry["task"] for entry in schedule.values()} <= tasks
    assert {entry["options"]["queue"] for entry in schedule.values()} <= set(QUEUES)


def test_the_chart_of_job_states_is_the_table_of_moves() -> None:
    page = source_files.text(ROOT / "ARCHITECTURE.md")
    chart = re.search(r"<!-- job states -->\s*```mermaid\s+stateDiagram-v2\n(.*?)```", page, re.S)
    assert chart, "ARCHITECTURE.md has no chart below <!-- job states -->"
    drawn = {(before, after) for before, after in re.findall(r"([\w*\[\]]+)\s*-->\s*([\w*\[\]]+)", chart[1])}
    moves = {(str(before), str(after)) for before, followers in MOVES.items() for after in followers}
    assert drawn - {("[*]", "ready")} == moves
    assert ("[*]", "ready") in drawn


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("ck_jobs_state", JobState),
        ("ck_jobs_priority", Priority),
        ("ck_jobs_dead_reason", DeadReason),
        ("ck_agents_status", AgentStatus),
        ("ck_controls_scope", SCOPES),
        ("ck_media_state", MediaState),
        ("ck_drafts_kind", DraftKind),
        ("ck_drafts_status", DraftStatus),
        ("ck_draft_lessons_decision", LessonDecision),
        ("ck_approval_requests_state", RequestState),
        ("ck_approval_decisions_verdict", DecisionKind),
    ],
)
def test_the_database_allows_exactly_what_the_code_knows(
    database_url: str, constraint: str, values: Iterable[str]
) -> None:
    query = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    engine = sa.create_engine(database_url)
    try:
        with engine.connect() as connection:
            definition = connection.scalar(query, {"name": constraint})
    finally:
        engine.dispose()
    assert definition, f"the database has no {constraint}"
    assert set(re.findall(r"'([^']*)'", definition)) == {str(value) for value in values}


def test_models_and_migrations_make_the_same_tables(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    try:
        with engine.connect() as connection:
            config = db._alembic_config()
            config.attributes["connection"] = connection
            alembic.command.check(config)  # raises, and names each difference
    finally:
        engine.dispose()


def test_migrations_can_be_taken_back(owner_url: str) -> None:
    engine = sa.create_engine(owner_url)
    try:
        with engine.connect() as connection:
            config = db._alembic_config()
            config.attributes["connection"] = connection
            alembic.command.downgrade(config, "base")
            connection.commit()
            left = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()
    assert not left


def test_a_public_class_name_means_one_class() -> None:
    places: dict[str, list[str]] = {}
    for path in _modules("fleet"):
        for name in re.findall(r"^class ([^\W_]\w*)", source_files.text(path), re.M):
            places.setdefault(name, []).append(_named(path))
    assert not {name: found for name, found in places.items() if len(found) > 1}


@cache
def _kinds() -> frozenset[str]:
    """Return the names of kinds of jobs, types of actions and types of agents that features register."""
    features = registry.current().features.values()
    return frozenset(
        name
        for one in features
        for name in (*(job.kind for job in one.jobs), *(agent.kind for agent in one.agents),
                     *(action.name for action in one.actions))
    )  # fmt: skip


def _kinds_in_name(name: str) -> set[str]:
    """Return the kinds of which a name speaks, as `post_weight` does."""
    if name.startswith("__"):
        return set()
    return {part for part in name.lower().split("_") if {part, part.removesuffix("s")} & (_kinds() - ORDINARY)}


def _kinds_in_text(text: str) -> set[str]:
    """Return the kinds that a string or a statement in SQL names: the string itself, quoted, or in a longer name."""
    quoted = {word for word in re.findall(r"'(\w+)'", text) if word in _kinds()}
    longer = [_kinds_in_name(name) for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)]
    return quoted.union({text} & _kinds(), *longer) - {"delete"}  # also a verb of SQL


def _names_in(tree: ast.Module) -> Iterator[tuple[int, set[str]]]:
    """Return line by line the kinds that code names; docstrings may tell of them."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() as text) if id(node) not in prose:
                yield node.lineno, _kinds_in_text(text)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str() as name):
                yield node.lineno, _kinds_in_name(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, _kinds_in_name(name)


def test_code_below_the_features_names_no_kind_that_they_register() -> None:
    roots = [f"fleet/{folder}" for folder in BELOW_FEATURES]
    found = [
        (path, line, kinds)
        for path in _modules(*roots, "fleet/web/auth.py")
        if _named(path) not in NAMES_KINDS
        for line, kinds in _names_in(source_files.tree(path))
    ]
    found += [
        (path, 0, _kinds_in_text(source_files.text(path))) for root in roots for path in (ROOT / root).rglob("*.sql")
    ]
    assert not [_named(path, f"line {line}: {sorted(kinds)}") for path, line, kinds in found if kinds]


def _ddl(made: sa.schema.ExecutableDDLElement) -> str:
    return str(made.compile(dialect=sa.make_url("postgresql://").get_dialect()()))


def test_tables_below_the_features_name_no_kind_that_they_register() -> None:
    names: dict[str, set[str]] = {}
    with_tables = [
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in _modules(*(f"fleet/{folder}" for folder in BELOW_FEATURES))
        if "__tablename__" in source_files.text(path)
    ]
    for module in with_tables:  # all are loaded: foreign keys name tables of other modules
        for table in (value.__table__ for value in vars(module).values() if hasattr(value, "__table__")):
            made: list[sa.schema.ExecutableDDLElement] = [
                sa.schema.CreateTable(table),
                *map(sa.schema.CreateIndex, table.indexes),
            ]
            names[table.name] = _kinds_in_text("\n".join(_ddl(one) for one in made))
    assert not {table for table, kinds in names.items() if kinds}
