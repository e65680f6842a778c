"""One transaction for each request that writes, as ATOMIC_REQUESTS would have it for reads as well.

Transactions are immediate, so reads would wait for one another: SQLite has no queue, and some never got their turn.
"""

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

_READS = ("GET", "HEAD", "OPTIONS")


def atomic_writes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Commit what a request wrote, unless its answer is an error."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in _READS:
            return get_response(request)
        with transaction.atomic():
            response = get_response(request)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    return middleware
