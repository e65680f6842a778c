"""The sandbox gallery: an HTTP server that speaks the FloImg (FSC) API over its own database, and shows its pages.

An honest opponent for Fleet's client: own users and tokens, toggling likes, budgets, a kill switch, and faults that
can be switched on. Run by `fleet up` and by tests; it never touches Fleet's tables and knows no agent but by name.
"""

from fleet.sandbox.gallery.app import create_app
from fleet.sandbox.gallery.config import GalleryBudgets, GalleryConfig
from fleet.sandbox.gallery.faults import FaultRule
from fleet.sandbox.gallery.server import running, serve

__all__ = ["FaultRule", "GalleryBudgets", "GalleryConfig", "create_app", "running", "serve"]
