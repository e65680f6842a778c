"""A server of pictures on this machine, and a network of names in which it is the one public server.

Used by the tests of fetching. It answers a path with what a test put there, plays scripted misbehaviour, and remembers
who asked; `Internet` resolves names and connects as a test wishes, and remembers every connection.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpcore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fleet.images import wire
from fleet.images.wire import Network

PUBLIC = "93.184.216.34"

Page = tuple[int, dict[str, str], bytes] | Callable[[BaseHTTPRequestHandler], None]


class PictureServer(ThreadingHTTPServer):
    """Answers GET with the page of that path; remembers paths and headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def show(self, path: str, data: bytes, content_type: str = "image/png", **headers: str) -> None:
        """Put a page that answers 200."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (200, {"Content-Type": content_type, **more}, data)

    def redirect(self, path: str, to: str, status: int = 302) -> None:
        """Put a redirect."""
        self.pages[path] = (status, {"Location": to}, b"")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up: refusing is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    server: PictureServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append(dict(self.headers.items()))
        page = self.server.pages.get(self.path, (404, {}, b""))
        if callable(page):
            page(self)
            return
        status, headers, body = page
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def running(certificate: Path | None = None) -> Iterator[PictureServer]:
    """Run a server for the block, over TLS with a certificate."""
    server = PictureServer()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Internet:
    """Names and addresses as a test wishes. All names lead to `PUBLIC`, behind which the test's server stands.

    A name in `names` gives one of its answers a question, the last one for ever. Connections to any other address are
    made for real if they lead to this machine: a test sees them in `dialled`, and its canary hears them.
    """

    server_port: int
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    @property
    def network(self) -> Network:
        """The network to be handed to `fetch_picture`."""
        return Network(self.resolve, self.dial, self.tls)

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """Answer for a name."""
        self.asked.append(host)
        answers = self.names.get(host, [[host] if _is_address(host) else [PUBLIC]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def dial(self, address: str, port: int, timeout_s: float) -> httpcore.NetworkStream:
        """Connect to the test's server where the public one is meant."""
        self.dialled.append(address)
        if address == PUBLIC:
            return wire.dial("127.0.0.1", self.server_port, timeout_s)
        if ipaddress.ip_address(address).is_loopback:
            return wire.dial(address, port, timeout_s)
        raise httpcore.ConnectError("no such host in this test")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def certificate_of(name: str, folder: Path) -> Path:
    """Write a file with a key and a certificate for a name, signed by itself; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path
