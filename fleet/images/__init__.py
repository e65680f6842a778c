"""Floor 2: pictures, drawn from a prompt, changed, marked as machine-made, signed, fetched from outside, and stored.

Called by the runtime and by the sandbox gallery. The network is touched in `wire` alone, which webhooks use too, and
files in `objects`; all else is pure. Knows no table.
"""

from fleet.images.editing import Format, adjust, encode, resize
from fleet.images.marks import Marks, Source, read_marks
from fleet.images.rendering import STYLES, render
from fleet.images.safety import Checked, check, sniff

__all__ = [
    "STYLES",
    "Checked",
    "Format",
    "Marks",
    "Source",
    "adjust",
    "check",
    "encode",
    "read_marks",
    "render",
    "resize",
    "sniff",
]
