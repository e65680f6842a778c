"""An adapter of Fleet to a notice board. `ADAPTER` is its manifest; docs/adapters.md explains each field."""

from datetime import timedelta

from fleet.adapters.base import Resolution
from fleet.adapters.manifest import AdapterType, Capability, Labels, Limit, Operation, TextRule
from fleet_board.adapter import Board

_DOCS = "docs of the board, read 2026-11-23"

ADAPTER = AdapterType(
    name="board",
    help="A notice board with posts and likes.",
    credentials="token",
    connect=Board,
    operations=(
        Operation(name="post", unknown=Resolution.RESEND, note="The board honours Idempotency-Key."),
        Operation(name="like", unknown=Resolution.NATURAL),
        Operation(name="delete", unknown=Resolution.NATURAL),
        Operation(name="provision", unknown=Resolution.NATURAL, note="Signs up; the board marks agents."),
        Operation(name="comment", capability=Capability.UNSUPPORTED, rule=f"The board has no comments ({_DOCS})."),
        Operation(name="feed"),
        Operation(name="item"),
        Operation(name="check"),
    ),
    limits=(
        Limit(name="requests", most=3000, window=timedelta(minutes=5), source=_DOCS),
        Limit(name="posts", most=100, window=timedelta(hours=1), costs={"post": 1}, cost=0, source=_DOCS),
    ),
    texts={"post": TextRule(most=500)},
    labels=Labels(account="agent", post="the label of its author"),
)
