"""The sandbox shop: a small web shop over a database of its own, with an API for programs and pages for people.

A realistic server to try out Fleet's stores with: products, stock that orders allocate, simulated customers, signed
webhooks that come twice and late, and faults that can be switched on. Run by `fleet up --with-shop` and by tests. It
never uses Fleet's tables.
"""

from fleet.sandbox.shop.app import create_app
from fleet.sandbox.shop.config import ShopConfig
from fleet.sandbox.shop.server import running, serve
from fleet.sandbox.shop.store.hooks import HookHabits

__all__ = ["HookHabits", "ShopConfig", "create_app", "running", "serve"]
