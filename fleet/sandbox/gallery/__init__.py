"""The sandbox gallery: an HTTP server that speaks the FloImg (FSC) API over its own database, and shows its pages.

A realistic server to test Fleet's client with: users and tokens of its own, likes, budgets, a kill switch, and faults
that can be switched on. Run by `fleet up` and by tests. It never uses Fleet's tables, and knows agents by name only.
"""

from fleet.sandbox.gallery.app import create_app
from fleet.sandbox.gallery.config import GalleryBudgets, GalleryConfig
from fleet.sandbox.gallery.faults import FaultRule
from fleet.sandbox.gallery.server import running, serve

__all__ = ["FaultRule", "GalleryBudgets", "GalleryConfig", "create_app", "running", "serve"]
