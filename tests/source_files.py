"""The repository's own modules as text and as syntax trees, for the tests that read them; each is parsed once.

Called by `test_house`, `test_docs` and `test_event_types`.
"""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path


@cache
def text(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """Return a parsed module. The garbage collector is off: its scans of all trees cost more than the parser."""
    gc.disable()
    try:
        return ast.parse(text(path))
    finally:
        gc.enable()


def nodes(path: Path, hint: str) -> Iterator[ast.AST]:
    """Return all nodes of a module; none if its text has no match of `hint`, because parsing all files is expensive."""
    return ast.walk(tree(path)) if re.search(hint, text(path)) else iter(())


def calls(path: Path, names: Collection[str]) -> Iterator[ast.Call]:
    """Return the calls of functions and methods with one of these names."""
    for node in nodes(path, rf"\b(?:{'|'.join(names)})\b"):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(attr=name) | ast.Name(id=name) if name in names:
                    yield node
