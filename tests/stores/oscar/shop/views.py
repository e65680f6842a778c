"""What the API lacks and the tests need: health, products by UPC, products changed since, and the states of orders."""

from django.db import connection, transaction
from django.db.models import Q
from django.http import HttpRequest, JsonResponse
from django.utils.dateparse import parse_datetime
from oscar.apps.order.processing import EventHandler
from oscar.core.loading import get_model
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

_MOST = 1000


def health(request: HttpRequest) -> JsonResponse:
    """Answer once the database does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


class Lookup(APIView):
    """GET ?upc=X, or ?since=TIME&limit=N&offset=N: ids of products that changed, or whose stock record did, since then.

    A stock record is saved by edits of price and stock. Orders allocate stock without moving its time.
    """

    permission_classes = (IsAdminUser,)

    def get(self, request: Request) -> Response:
        """Return {"results": [{"id", "upc"}]}, oldest product first."""
        products = get_model("catalogue", "Product").objects.order_by("id")
        if upc := request.query_params.get("upc"):
            products = products.filter(upc=upc)
        if since := request.query_params.get("since"):
            at = parse_datetime(since)
            products = products.filter(Q(date_updated__gte=at) | Q(stockrecords__date_updated__gte=at)).distinct()
        offset = int(request.query_params.get("offset", 0))
        limit = min(int(request.query_params.get("limit", _MOST)), _MOST)
        return Response({"results": list(products[offset : offset + limit].values("id", "upc"))})


class Stock(APIView):
    """GET: all stock records in one answer, which the API would give by a query for each."""

    permission_classes = (IsAdminUser,)

    def get(self, request: Request) -> Response:
        """Return {"results": [{"partner_sku", "num_in_stock", "num_allocated"}]}."""
        records = get_model("partner", "StockRecord").objects.order_by("id")
        return Response({"results": list(records.values("partner_sku", "num_in_stock", "num_allocated"))})


class OrderStatus(APIView):
    """POST {"status": "Complete"} ships an order, "Cancelled" cancels it: what a shop's own code does for its staff."""

    permission_classes = (IsAdminUser,)

    @transaction.atomic
    def post(self, request: Request, number: str) -> Response:
        """Change the state, and consume or give back the stock that is allocated."""
        order = get_model("order", "Order").objects.select_for_update().get(number=number)
        handler, status = EventHandler(request.user), request.data["status"]
        order.set_status(status)
        if status == "Cancelled":
            handler.cancel_stock_allocations(order)
        else:
            handler.consume_stock_allocations(order)
        return Response({"number": number, "status": order.status})
