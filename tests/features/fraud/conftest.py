"""Fixtures of the tests of fraud: orders that are recorded by hand, and a store at the sandbox shop."""

from tests.features.orders.test_orders import fleet, shop
from tests.features.stores.conftest import stores

__all__ = ["fleet", "shop", "stores"]
