"""structlog: import it without Rich, which only draws the tracebacks of its default formatter.

Incident: Rich and Pygments cost every process 5 MB and 60 ms, and a traceback with all local variables took seconds.
Private parts: `structlog.dev.rich` and `structlog.tracebacks.rich`, None where Rich cannot be imported.
"""

from __future__ import annotations

import sys
from types import ModuleType


def load() -> ModuleType:
    """Import structlog and return it. Rich stays importable for everything else."""
    is_loaded = "rich" in sys.modules
    if not is_loaded:
        sys.modules["rich"] = None  # type: ignore[assignment]  # to the import system: there is no such module
    try:
        import structlog
    finally:
        if not is_loaded:
            del sys.modules["rich"]
    return structlog
