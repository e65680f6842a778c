"""A virtual environment with packages from outside, made without a network from what this Python has."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def install(folder: Path, *packages: Path) -> str:
    """Make an environment in a folder, install packages from their sources, and return its interpreter.

    It sees all that this interpreter has, Fleet included; only what is installed into it is its own.
    """
    venv.create(folder, symlinks=True)
    own, ours = (sysconfig.get_path("purelib", vars=given) for given in ({"base": str(folder)}, None))
    # Not a plain path: the .pth files of our packages are to be read, too.
    Path(own, "of_the_tests.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
    python = sysconfig.get_path("scripts", vars={"base": str(folder)}) + "/python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--no-input", "install"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    done = subprocess.run([*pip, *offline, *map(str, packages)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return python
