"""Sample changes: how many files each takes, and that it works when it is made to a copy of the tree.

Each is a patch in tests/data/sample_changes with a script that checks the changed copy. A patch that does not apply any
more has to be made again; when it then takes more files than docs/extending.md says, the layout got worse.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHANGES = ROOT / "tests/data/sample_changes"
COPIED = ("bench", "fleet", "migrations", "personas", "workers")
_DOCUMENTED = re.compile(r"^\| .* \| (\d+) \| (\d+) \| \[`(\w+)\.patch`\]", re.M)


@dataclass(frozen=True)
class Change:
    """What a patch does. A folder is deleted by a line `Delete: FOLDER` above the diff."""

    edited: tuple[str, ...]
    new_folders: frozenset[str]
    new_files: tuple[str, ...]
    deleted: tuple[str, ...]

    @classmethod
    def read(cls, name: str) -> Change:
        text = (CHANGES / f"{name}.patch").read_text(encoding="utf-8")
        pairs = re.findall(r"^--- (\S+)\n\+\+\+ (\S+)$", text, re.M)
        new = tuple(after.removeprefix("b/") for before, after in pairs if before == "/dev/null")
        folders = {str(Path(path).parent) for path in new if not (ROOT / path).parent.exists()}
        return cls(
            tuple(after.removeprefix("b/") for before, after in pairs if "/dev/null" not in (before, after)),
            frozenset(folders), new, tuple(re.findall(r"^Delete: (\S+)$", text, re.M)),
        )  # fmt: skip

    @property
    def figures(self) -> tuple[int, int]:
        """How many files it edits, or adds to folders that there are; how many folders it adds or deletes."""
        added = [path for path in self.new_files if str(Path(path).parent) not in self.new_folders]
        return len(self.edited) + len(added), len(self.new_folders) + len(self.deleted)


NAMES = sorted(path.stem for path in CHANGES.glob("*.patch"))


def test_the_documented_figures_are_those_of_the_patches() -> None:
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    documented = {name: (int(files), int(folders)) for files, folders, name in _DOCUMENTED.findall(page)}
    assert documented == {name: Change.read(name).figures for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_change_applies_and_works(name: str, tmp_path: Path) -> None:
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    _run("git", "apply", "--unidiff-zero", str(CHANGES / f"{name}.patch"), where=tmp_path)
    for path in Change.read(name).deleted:
        shutil.rmtree(tmp_path / path)
    _run(sys.executable, str(CHANGES / f"{name}.py"), where=tmp_path)


def _run(*argv: str, where: Path) -> None:
    """Run a program in a folder, whose packages it finds before our own."""
    env = {**os.environ, "PYTHONPATH": str(where), "GIT_CEILING_DIRECTORIES": str(where.parent)}
    done = subprocess.run(argv, cwd=where, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
