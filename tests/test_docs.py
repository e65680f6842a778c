"""The docs are true: commands that they name exist and take those options, settings are all told, links lead somewhere.

Messages in the code are held to the same: a fix that names a command names one that exists.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from fleet.cli.app import cli
from fleet.cli.frame.context import Door
from fleet.cli.frame.options import AGENT
from fleet.engine import registry
from fleet.engine.jobs.allowed_actions import MEANING
from fleet.engine.registry import Feature
from fleet.features.agents import bulk
from fleet.features.personas import generator
from fleet.features.personas import library as personas
from fleet.sandbox.gallery import config as gallery
from tests import source_files

ROOT = Path(__file__).resolve().parents[1]
FEATURES = ROOT / "fleet/features"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *FEATURES.rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
SHELLS = {"", "console", "bash", "sh"}
CALLED = re.compile(r"(?:[A-Z_]+=\S* +)*(?:fleet|make)\b")
IN_WORDS = re.compile(r"`((?:fleet|make)(?: [^`\n]+)?)`")
ENDS_A_COMMAND = set("|&;<>()")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _command_lines(page: Path) -> Iterator[list[str]]:
    """Return the lines of shell blocks that begin with `fleet` or `make`, as words, up to the first pipe."""
    blocks = [block for language, block in BLOCK.findall(page.read_text(encoding="utf-8")) if language in SHELLS]
    for block in blocks:
        lines = [line.removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines()]
        for line in filter(CALLED.match, lines):
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            end = next((at for at, word in enumerate(words) if set(word) <= ENDS_A_COMMAND), len(words))
            if words[:1] in (["fleet"], ["make"]):
                yield words[:end]


@cache
def _targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def _parse(words: list[str]) -> click.Context | None:
    """Let click read a command line without running it; raises for an unknown command, option or value.

    Returns what it read; None for a group alone, or a question for help.
    """
    command: click.Command = cli
    context = command.make_context("fleet", words[1:], obj=Door())
    while isinstance(command, click.Group):
        rest = [*context.protected_args, *context.args] if hasattr(context, "protected_args") else context.args
        if not rest:
            return None
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        if {"--help", "-h"} & set(rest):
            return None
        command, context = found, found.make_context(name, rest, parent=context)
    return context


def _unknown_command(words: list[str]) -> str | None:
    """Return the first word that should name a command and does not; what follows a command is not looked at."""
    command: click.Command = cli
    for word in words[1:]:
        if not isinstance(command, click.Group) or not re.fullmatch(r"[a-z][a-z-]+", word):
            return None
        found = command.get_command(click.Context(command), word)
        if found is None:
            return word
        command = found
    return None


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_in_docs_can_be_called_as_written(page: Path) -> None:
    wrong = []
    for words in _command_lines(page):
        try:
            if words[0] == "fleet":
                _parse(words)
            else:
                targets = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
                assert set(targets) <= _targets(), f"no target {set(targets) - _targets()}"
        except (click.ClickException, AssertionError) as error:
            wrong.append(f"{' '.join(words)}: {error}")
    assert not wrong


def _agents_in(words: list[str]) -> Iterator[str]:
    """Return the agents that a command line names; `pause` names other things by the same argument."""
    context = _parse(words)
    if context is None or context.params.get("scope", "agent") != "agent":
        return
    for param in context.command.params:
        value = context.params.get(param.name or "")
        if param.type is AGENT and value:
            yield from value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_agents_in_docs_are_those_that_a_new_fleet_has(page: Path) -> None:
    named = {agent for words in _command_lines(page) if words[0] == "fleet" for agent in _agents_in(words)}
    assert named <= _new_agents()


@cache
def _new_agents() -> set[str]:
    """Return the agents that `fleet up` and `fleet seed -n 12` create in an empty database."""
    library = personas.load()
    return {agent.username for agent in generator.generate(library, library.names, seed=0, start=1, count=12)}


@pytest.mark.long
def test_commands_named_in_prose_and_messages_exist() -> None:
    wrong = []
    for path in [*PAGES, *sorted((ROOT / "fleet").rglob("*.py")), *sorted((ROOT / "workers").rglob("*.py"))]:
        for span in IN_WORDS.findall(path.read_text(encoding="utf-8")):
            words = span.split()
            named = words[1:2] if words[0] == "make" and re.fullmatch("[a-z-]+", "".join(words[1:2]) or "-") else []
            if (words[0] == "fleet" and _unknown_command(words)) or not set(named) - {"-"} <= _targets():
                wrong.append(f"{_name(path)}: {span}")
    assert not wrong


def test_commands_on_pages_can_be_called_as_written() -> None:
    wrong, called = [], 0
    for path in sorted((ROOT / "fleet").rglob("*.html")):
        for block in re.findall(r"<(?:code|pre)>(fleet [^<]*)</", path.read_text(encoding="utf-8")):
            for line in block.splitlines():
                called += 1
                try:
                    _parse(shlex.split(line))
                except click.ClickException as error:
                    wrong.append(f"{_name(path)}: {line}: {error.format_message()}")
    assert called > 5
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_files_and_headings_of_the_repository(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", _prose(page)) if "://" not in link]
    dead = []
    for link in links:
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (heading and heading not in _headings(target)):
            dead.append(link)
    assert not dead


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)


def _headings(page: Path) -> set[str]:
    """Return what links call a page's headings."""
    found = re.findall(r"^#+ (.*)$", _prose(page), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def _sql_in(page: Path) -> list[str]:
    """Return the SQL of a page."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sql\n(.*?)^```", text, re.M | re.S)
    return blocks + re.findall(r"^ +query: >-\n((?: {10}.*\n)+)", text, re.M)


@pytest.mark.parametrize("page", [page for page in PAGES if _sql_in(page)], ids=_name)
def test_sql_in_docs_fits_the_tables(page: Path, owner_url: str) -> None:
    engine = sa.create_engine(owner_url)
    try:
        with engine.begin() as connection:
            for statement in ";".join(_sql_in(page)).split(";"):
                connection.execute(sa.text(statement))
    finally:
        engine.dispose()


def test_every_decision_stands_in_the_list_of_decisions() -> None:
    index = (ROOT / "docs/adr/000-how-decisions-are-kept.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs/adr").glob("*.md")} - {"000-how-decisions-are-kept.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


def test_the_table_of_layers_names_every_package_and_no_other() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.partition("## Layers and packages")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|[^|]*\|([^|]*)\|", section, re.M)
    named = [package for row in rows for package in re.findall(r"`([a-z.]+)`", row)]
    there = [f"fleet.{face.parent.name}" for face in (ROOT / "fleet").glob("*/__init__.py")]
    assert sorted(named) == sorted([*there, "migrations", "personas", "workers"])


@pytest.mark.parametrize("feature", list(registry.current()), ids=lambda feature: feature.name)
def test_the_page_of_a_feature_names_what_it_registers(feature: Feature) -> None:
    page = (FEATURES / feature.name / "README.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 20
    must = f"**Required.** {feature.required_because}" if feature.required_because else "**Optional.** Without it "
    assert must in " ".join(page.split())
    assert _named_in_row(page, "Needs") == set(feature.needs)
    assert _named_in_row(page, "Tables") == set(_tables(feature))
    fields = registry.load(feature.settings).model_fields if feature.settings else ()
    assert _named_in_row(page, "Settings") == {f"FLEET_{name.upper()}" for name in fields}
    registered = {
        *(kind.kind for kind in feature.agents), *(mode.name for mode in feature.modes),
        *(job.kind for job in feature.jobs), *(item.path for item in feature.nav),
        *(f"fleet {command.name}" for command in feature.commands),
        *(f"/api/v1{router.prefix.partition('/{')[0]}" for router in registry.load_all(feature.api) if router.prefix),
    }  # fmt: skip
    assert not registered - set(re.findall(r"`([^`]+)`", page))


def _named_in_row(page: str, title: str) -> set[str]:
    """Return the words of code in the items of a list that begin with a title, up to a semicolon."""
    rows = re.findall(rf"^- (?:.*\. )?{title}: ([^;]*?)(?=;|\n- |\n\n|\Z)", page, re.M | re.S)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def _tables(feature: Feature) -> Iterator[str]:
    for module in registry.load_all(feature.tables):
        yield from (
            one.__tablename__
            for one in vars(module).values()
            if isinstance(one, type) and one.__module__ == module.__name__ and hasattr(one, "__tablename__")
        )


def test_operations_tells_of_every_reason_of_a_dead_letter_what_the_dashboard_does() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    section = page.partition("### Dead letters")[2].partition("\n### ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == set(MEANING)


def test_the_page_of_access_names_every_act_that_the_audit_log_knows() -> None:
    page = (ROOT / "docs/access.md").read_text(encoding="utf-8").partition("| actions | target |")[2]
    named = set()
    for row in re.findall(r"^\| (`[^|]*)\|", page, re.M):
        acts = re.findall(r"`([a-z_.]+)`", row)
        family = acts[0].rpartition(".")[0]
        named |= {f"{family}{act}" if act.startswith(".") else act for act in acts}
    assert named == set(_noted_acts())


def _noted_acts() -> Iterator[str]:
    """Return the acts that verbs note, as they stand in the source: called so, or handed to what notes them."""
    noting = {"note", "noted", "note_change", "_tell", "_Word"}
    for path in [one for room in ("features", "access", "accounts") for one in (ROOT / "fleet" / room).rglob("*.py")]:
        if path.name == "sweep.py":  # its _tell is of events
            continue
        for node in source_files.calls(path, noting):
            texts = [one for arg in node.args for one in ast.walk(arg) if isinstance(one, ast.Constant)]
            found = (str(one.value) for one in texts)
            yield from (text for text in found if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", text))
    yield from bulk._DONE.values()


def _default(name: str) -> str:
    value = registry.current().settings_model.model_fields[name].default
    if isinstance(value, SecretStr) or value in ("", None, ()):
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_page_of_settings_tells_every_setting_as_it_is() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    rows = [
        f"| `FLEET_{name.upper()}` | {_default(name)} |" + (f" {field.description} |" if field.description else "")
        for name, field in registry.current().settings_model.model_fields.items()
    ]
    lacking = [row for row in rows if row.replace("|  |", "| |") not in page.replace("|  |", "| |")]
    assert not lacking, "docs/settings.md lacks these rows:\n" + "\n".join(lacking)
    told = set(re.findall(r"^\| `FLEET_(\w+)`", page.partition("## Other variables")[0], re.M))
    assert told == {name.upper() for name in registry.current().settings_model.model_fields}


def test_the_page_of_settings_names_the_gallerys_too() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert [name for name in gallery._Environment.model_fields if f"`FLEET_GALLERY_{name.upper()}`" not in page] == []


def test_the_example_environment_names_what_compose_asks_for() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", compose))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    told = set(re.findall(r"^#? ?(\w+)=", example, re.M))
    assert asked <= told


def test_the_page_of_settings_names_every_feature_that_can_be_left_out() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    section = page.partition("## Features that can be left out")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*)\|", section, re.M)
    required = {one.name for one in registry.current() if one.required_because}
    optional = {one.name: set(one.needs) - required for one in registry.current() if one.is_optional}
    assert {name: set(re.findall(r"`(\w+)`", needs)) for name, needs in rows} == optional


def test_the_glossary_has_at_most_40_terms_in_order() -> None:
    terms = re.findall(r"^\| ([a-z ]+) \|", (ROOT / "docs/glossary.md").read_text(encoding="utf-8"), re.M)[1:]
    assert 0 < len(terms) <= 40
    assert terms == sorted(set(terms))
