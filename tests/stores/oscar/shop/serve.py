"""Serve the shop on 127.0.0.1:PORT by gunicorn: `python -m shop.serve`. It ends when its standard input does."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from django.core.wsgi import get_wsgi_application
from gunicorn.app.base import BaseApplication


class Server(BaseApplication):
    """Two processes with four threads each; Django is loaded once, before they fork."""

    def load_config(self) -> None:
        """Set gunicorn's options."""
        options = {
            "bind": f"127.0.0.1:{os.environ['PORT']}", "workers": 2, "threads": 4, "preload_app": True, "keepalive": 75,
            "graceful_timeout": 1, "accesslog": None, "loglevel": "warning", "control_socket_disable": True,
        }  # fmt: skip
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Return the application."""
        return get_wsgi_application()


def _end_with_input() -> None:
    while os.read(0, 4096):  # without a lock, which a process that forks meanwhile would find locked for ever
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    Server().run()
