"""The private parts of libraries that Fleet relies on are still there, with the parameters that it expects."""

from __future__ import annotations

import ast
import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from socket import create_server
from typing import Any

import flower.app
import httpx
import httpx2
import psycopg
import pytest
import sqlalchemy as sa
from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.request import Request
from kombu.transport.redis import Channel
from tornado.httpserver import HTTPServer
from uvicorn.protocols.http.h11_impl import H11Protocol

from fleet.core.workarounds import celery as celery_parts
from fleet.core.workarounds import flower as flower_parts
from fleet.core.workarounds import httpx as httpx_parts
from fleet.core.workarounds.sqlalchemy import LiteralDialect, wrapped
from fleet.core.workarounds.uvicorn import LimitedProtocol
from workers.consumer import Consumer
from workers.flower import LimitedServer

FOLDER = Path(celery_parts.__file__).parent


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def overridden(ours: type, theirs: type) -> set[str]:
    """Return the methods of a class that replace another's."""
    return {name for name, value in vars(ours).items() if inspect.isfunction(value) and hasattr(theirs, name)}


def test_each_file_names_its_incident_and_the_private_parts() -> None:
    for path in FOLDER.glob("[!_]*.py"):
        preamble = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert "Incident:" in preamble, path.name
        assert "Private parts:" in preamble, path.name


def test_celery_has_the_methods_that_our_consumer_replaces() -> None:
    assert overridden(Consumer, CeleryConsumer) == set(celery_parts.CONSUMER_METHODS)
    assert parameters(CeleryConsumer.on_decode_error) == ["self", "message", "exc"]
    assert parameters(CeleryConsumer.register_with_event_loop) == ["self", "hub"]


def test_celery_finds_a_message_expired_by_the_name_that_is_replaced() -> None:
    assert "datetime.now(" in inspect.getsource(Request.maybe_expire)


def test_kombu_pushes_to_the_batch_that_is_tapped() -> None:
    assert "_publish_batch" in inspect.getsource(Channel._put)
    assert parameters(Channel._size) == ["self", "queue"]


def test_flower_serves_with_the_server_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flower.app, "HTTPServer", flower.app.HTTPServer)
    flower_parts.set_http_server(LimitedServer)
    assert flower.app.Flower.start.__globals__["HTTPServer"] is LimitedServer
    assert "HTTPServer(" in inspect.getsource(flower.app)


def test_tornado_has_the_methods_that_our_server_replaces() -> None:
    assert overridden(LimitedServer, HTTPServer) == set(flower_parts.SERVER_METHODS)
    assert parameters(HTTPServer.handle_stream) == ["self", "stream", "address"]
    assert parameters(HTTPServer.start_request) == ["self", "server_conn", "request_conn"]


@pytest.mark.parametrize(("client", "late"), [(httpx.Client, httpx.ReadTimeout), (httpx2.Client, httpx2.ReadTimeout)])
def test_headers_that_drip_end_within_the_read_timeout(client: Any, late: type[Exception]) -> None:
    done = threading.Event()
    with create_server(("127.0.0.1", 0)) as listener, client(timeout=0.5, trust_env=False) as bounded:

        def drip() -> None:
            with listener.accept()[0] as peer:
                while not done.wait(0.05):
                    peer.send(b"H")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        httpx_parts.bound(bounded, late)
        try:
            with pytest.raises(late):
                bounded.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        finally:
            done.set()
            thread.join(5)


def test_a_client_without_a_place_for_the_deadline_is_refused() -> None:
    with pytest.raises(AttributeError):
        httpx_parts.bound(object(), httpx.ReadTimeout)


def test_psycopg_drives_generators_and_tells_them_when_nothing_came() -> None:
    assert parameters(psycopg.Connection.wait)[:3] == ["self", "gen", "interval"]
    assert inspect.signature(psycopg.Connection.wait).parameters["interval"].default == 0.1


def test_sqlalchemy_writes_constants_into_the_text_and_leaves_named_parameters() -> None:
    named = sa.bindparam("c", type_=sa.Text())
    statement = sa.select(sa.column("a")).where(sa.column("b") == "x", sa.column("c") == named)
    written = str(statement.compile(dialect=LiteralDialect()))  # type: ignore[no-untyped-call]
    assert "'x'" in written
    assert "%(c)s" in written
    assert "%(b" not in written


def test_sqlalchemy_wraps_an_error_of_the_driver_by_its_class() -> None:
    assert isinstance(wrapped(psycopg.OperationalError("gone")), sa.exc.OperationalError)
    assert isinstance(wrapped(psycopg.errors.UniqueViolation("twice")), sa.exc.IntegrityError)


def test_uvicorn_has_the_methods_and_attributes_that_our_protocol_uses() -> None:
    assert overridden(LimitedProtocol, H11Protocol) == {
        "__init__", "connection_made", "data_received", "connection_lost", "on_response_complete",
        "timeout_keep_alive_handler", "pause_writing", "resume_writing", "send_400_response",
    }  # fmt: skip
    source = inspect.getsource(H11Protocol)
    for name in ("transport", "flow", "conn", "client", "loop", "logger", "app_state"):
        assert f"self.{name}" in source, name
