"""Flower: serve it with another HTTP server; its own has no deadline for requests, and no setting for one.

Incident: half a request kept a connection of Flower for an hour. Private parts: the name `HTTPServer` in `flower.app`,
and the methods of Tornado's server in `SERVER_METHODS`, which `workers.flower` overrides.
"""

from __future__ import annotations

from flower import app as flower
from tornado.httpserver import HTTPServer

SERVER_METHODS = ("initialize", "handle_stream", "start_request", "on_close")


def set_http_server(server: type[HTTPServer]) -> None:
    """Make Flower serve with this class; call it before Flower starts."""
    if not hasattr(flower, "HTTPServer"):
        raise RuntimeError("flower.app no longer makes its server from the name `HTTPServer`")
    flower.HTTPServer = server
