"""Names of this feature's job and requests, and its events."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.policy import Priority
from fleet.engine.registry import EventType, JobHandler

WRITE = "write_product_texts"
RESOURCE, ACTION = "product_content", "change"
JOB = JobHandler(
    kind=WRITE, noun="texts of a product", plural="texts of products",
    prepare="fleet.features.product_content.handlers:write", priority=Priority.LOW, expires_after=timedelta(days=2),
    is_act=False, uses_surface=False,
)  # fmt: skip
EVENTS = (
    EventType(subject="product.content.proposed", words="proposes texts of {title:160}: {claims} claims to check",
              sign="✎", tone="blue", icon="pen", family="drafts"),
    EventType(subject="product.content.applied", words="changed the texts of {title:160}, approved by {by}",
              sign="✔", tone="green", icon="tick"),
)  # fmt: skip
