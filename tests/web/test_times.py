"""Times on pages: those that are told as so long ago go on while the page stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import fleet

HOUSE = Path(fleet.__file__).parent
TEMPLATES = sorted([*HOUSE.glob("web/templates/*.html"), *HOUSE.glob("features/*/templates/*.html")])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: f"{one.parts[-3]}-{one.name}")
def test_what_is_so_long_ago_grows_older_on_the_page(template: Path) -> None:
    times = re.findall(r"<time [^>]*>(?=\{\{[^}]*\| ago)", template.read_text(encoding="utf-8"))
    assert [one for one in times if " data-ago" not in one] == []
