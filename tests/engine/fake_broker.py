"""A broker that lives in the test's own process: enough for sending, and for counting what waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fakeredis import TcpFakeServer


@contextmanager
def fake_broker() -> Iterator[str]:
    """Serve Redis from a thread; gives its URL."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)  # looks for the shutdown so often
    thread.start()
    try:
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
