"""Fixtures of the tests of product texts: a store at the sandbox shop."""

from tests.features.stores.conftest import stores

__all__ = ["stores"]
