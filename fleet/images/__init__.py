"""Pictures: edit, mark as machine-made, sign, fetch from outside, and store; and one placeholder, drawn here.

Called by features and by the sandbox gallery. Only `wire` uses the network, also for webhooks, and only `objects` uses
files; all else is pure. Knows no table.
"""

from fleet.images.editing import Format, adjust, encode, resize
from fleet.images.marks import Marks, PictureSource, read_marks
from fleet.images.safety import Checked, check, sniff

__all__ = [
    "Checked",
    "Format",
    "Marks",
    "PictureSource",
    "adjust",
    "check",
    "encode",
    "read_marks",
    "resize",
    "sniff",
]
