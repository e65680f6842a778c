"""axe-core over the page that a browser shows. Run as a program evaluates, which the page's policy does not hinder."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

GRAVE = ("serious", "critical")

_RUN = """() => axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations.map((one) =>
  ({id: one.id, impact: one.impact, help: one.help, where: one.nodes.map((node) => node.html.slice(0, 120))})))"""


@cache
def _source() -> str:
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def grave_findings(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical, with everything that can be unfolded unfolded."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    return [
        f"{one['impact']}: {one['id']}: {one['help']}: {len(one['where'])} of {one['where'][0]}"
        for one in page.evaluate(_RUN)
        if one["impact"] in GRAVE
    ]
