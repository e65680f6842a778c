"""The snippets of docs/extending.md, by the file that they show: `<!-- file: NAME -->` stands above each."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/extending.md"
TEMPLATE = Path(__file__).resolve().parent / "data/feature_template"
MINIMUM = "clerk"
"""The folder of the agent in 60 lines, which the page shows whole."""
_SNIPPET = re.compile(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```", re.M | re.S)


def snippets() -> list[tuple[str, str]]:
    """Return name of file and text of each snippet, in the order of the page."""
    return _SNIPPET.findall(PAGE.read_text(encoding="utf-8"))


def write_minimum(folder: Path) -> Path:
    """Write the files of the agent in 60 lines into a folder, and return theirs."""
    for name, text in snippets():
        if name.startswith(f"{MINIMUM}/"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return folder / MINIMUM
