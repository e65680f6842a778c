"""The proxy of the network's faults: what it loses was done, what it refuses was not, and other calls pass."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from fleet.chaos.surfaces.fault_proxy import FaultProxy, NetworkFault

PUT, READ, LOGIN = "/xrpc/com.atproto.repo.putRecord", "/xrpc/app.bsky.feed.getTimeline", "/xrpc/x.y.createSession"
ALWAYS = {"rate": 1.0, "seed": 1}


class Server(ThreadingHTTPServer):
    """A PDS that notes the calls that it carried out."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.status = 200
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                server.done.append(self.path)
                body = json.dumps({"uri": "at://a/b/c", "commit": {"rev": "1"}}).encode()
                self.send_response(server.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    made = FaultProxy(f"http://127.0.0.1:{server.server_port}")
    made.start()
    yield made
    made.close()


def put(proxy: FaultProxy, path: str = PUT, content: bytes = b"{}") -> httpx.Response:
    with httpx.Client(base_url=proxy.url, trust_env=False) as client:
        return client.post(path, content=content)


@pytest.mark.parametrize(("fault", "times"), [
    (NetworkFault(**ALWAYS, loses=True), 1), (NetworkFault(**ALWAYS, is_cut=True), 0),
])  # fmt: skip
def test_a_lost_reply_is_one_of_a_write_that_was_done_and_a_cut_is_not(
    proxy: FaultProxy, server: Server, fault: NetworkFault, times: int
) -> None:
    proxy.arm(fault)
    with pytest.raises(httpx.RemoteProtocolError):
        put(proxy)
    assert (len(server.done), proxy.made, list(proxy.writes)) == (times, 1, ["at://a/b/c"] * times)
    proxy.arm(None)
    assert put(proxy).json()["uri"] == "at://a/b/c"


def test_other_answers_are_given_before_or_after_the_call(proxy: FaultProxy, server: Server) -> None:
    proxy.arm(NetworkFault(**ALWAYS, answer=(429, {"error": "RateLimitExceeded"}, {"retry-after": "2"})))
    refused = put(proxy)
    assert (refused.status_code, refused.headers["retry-after"], server.done) == (429, "2", [])
    assert proxy.refused == [], "it was not the server's"
    proxy.arm(NetworkFault(**ALWAYS, lies=True))
    lied = put(proxy)
    assert (lied.status_code, list(lied.json()), server.done) == (200, ["error", "message"], [PUT])
    proxy.arm(NetworkFault(**ALWAYS, is_twice=True))
    put(proxy)
    assert server.done == [PUT] * 3


def test_only_meant_calls_are_struck_and_logins_never(proxy: FaultProxy, server: Server) -> None:
    proxy.arm(NetworkFault(**ALWAYS, is_cut=True))
    assert put(proxy, LOGIN).is_success
    proxy.arm(NetworkFault(**ALWAYS, calls=("putRecord",), only_with=b"images", is_cut=True))
    assert put(proxy, READ).is_success and put(proxy).is_success
    with pytest.raises(httpx.RemoteProtocolError):
        put(proxy, content=b'{"images": 1}')


def test_answers_429_of_the_server_itself_are_counted(proxy: FaultProxy, server: Server) -> None:
    server.status = 429
    assert put(proxy).status_code == 429
    assert (len(proxy.refused), dict(proxy.writes), proxy.most_calls(300)) == (1, {}, 1)
