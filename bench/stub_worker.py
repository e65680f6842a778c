"""A worker of the fleet, with the stub surface and a task that does nothing: `python -m bench.stub_worker <options>`.

Options are those of `celery worker`. Everything but the surface is what `fleet worker` runs.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    if "gevent" in sys.argv:
        from gevent import monkey

        monkey.patch_all()
    from bench import stub_surface
    from workers.app import app

    stub_surface.register()

    @app.task(name="bench.nothing")
    def nothing() -> None:
        stub_surface.mark()

    app.worker_main(["worker", *sys.argv[1:]])


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
