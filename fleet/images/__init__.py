"""Pictures: changed, marked as machine-made, signed, fetched from outside, and stored; and one placeholder, drawn here.

Called by features and by the sandbox gallery. The network is touched in `wire` alone, which webhooks use too, and
files in `objects`; all else is pure. Knows no table.
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
