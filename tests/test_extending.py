"""docs/extending.md is true: its snippets stand in the template's files, and its lists are complete."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
from collections.abc import Iterator

import pytest

from fleet.engine import registry
from fleet.engine.registry import Feature
from tests.extending import MINIMUM, PAGE, TEMPLATE, snippets

ROOT = PAGE.parents[1]
OF_TEMPLATE = [(name, text) for name, text in snippets() if not name.startswith(f"{MINIMUM}/")]


def _section(heading: str) -> str:
    return PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(("name", "text"), OF_TEMPLATE, ids=[f"{n} {name}" for n, (name, _) in enumerate(OF_TEMPLATE)])
def test_a_snippet_of_the_page_stands_in_the_file_that_it_names(name: str, text: str) -> None:
    assert text in (TEMPLATE / name).read_text(encoding="utf-8")


def test_the_agent_in_60_lines_has_no_more() -> None:
    files = [text for name, text in snippets() if name.startswith(f"{MINIMUM}/")]
    assert len(files) == 2
    assert sum(len(text.splitlines()) for text in files) <= 60


def test_the_page_shows_something_of_every_file_of_the_template() -> None:
    shown = {name for name, _ in OF_TEMPLATE}
    there = {str(path.relative_to(TEMPLATE)) for path in TEMPLATE.rglob("*.py") if path.name != "__init__.py"}
    assert there - shown == {"fleet_lamp/queries.py"}


def test_the_page_says_what_each_field_of_a_feature_means() -> None:
    told = set(re.findall(r"^\| `(\w+)`", _section("What a feature can register"), re.M))
    assert told == {field.name for field in dataclasses.fields(Feature)}


def test_the_page_names_every_point_that_features_extend() -> None:
    (row,) = re.findall(r"^\| `extends` .*", _section("What a feature can register"), re.M)
    named = re.findall(r"`([a-z]+(?:\.[a-z_]+)?)`", row)[1:]
    assert sorted(named) == sorted({point for feature in registry.current() for point in feature.extends})


def _imported() -> Iterator[str]:
    """Return the modules of Fleet that the template and the agent in 60 lines import."""
    sources = [path.read_text(encoding="utf-8") for path in TEMPLATE.rglob("*.py")]
    for source in [*sources, *(text for name, text in snippets() if name == f"{MINIMUM}/{MINIMUM}.py")]:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "fleet":
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    path = ROOT / name.replace(".", "/")
                    yield name if path.is_dir() or path.with_suffix(".py").exists() else str(node.module)


def test_the_template_relies_on_no_more_than_the_page_promises() -> None:
    promised = set(re.findall(r"`(fleet\.[a-z_.]+)`", _section("What a package may rely on")))
    for name in promised:
        importlib.import_module(name)
    assert set(_imported()) <= promised
