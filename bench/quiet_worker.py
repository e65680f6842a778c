"""The fleet's own Celery app on the quiet surface: `celery -A bench.quiet_worker`.

Started by `bench.live` alone.
"""

from __future__ import annotations

from bench import quiet_surface
from workers.app import app

__all__ = ["app"]

quiet_surface.register()
