"""The addresses of the test shop: the API, the shop and its dashboard, and the few views of its own."""

from django.apps import apps
from django.conf import settings
from django.urls import include, path
from django.views.static import serve

from shop import views

urlpatterns = [
    path("health", views.health),
    path("own/products/", views.Lookup.as_view()),
    path("own/stock/", views.Stock.as_view()),
    path("own/orders/<str:number>/status/", views.OrderStatus.as_view()),
    path("api/", include("oscarapi.urls")),
    path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
