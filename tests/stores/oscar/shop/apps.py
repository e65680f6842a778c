"""The app of the test shop: it posts what Oscar's signals say."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """Connects the signals."""

    name = "shop"

    def ready(self) -> None:
        """Connect them once all models are loaded."""
        from shop import hooks

        hooks.connect()
