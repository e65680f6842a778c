"""Pictures: drawn from a prompt, changed, marked as machine-made, and checked when they come from outside.

Called by the runtime for the picture that stands in when a workflow fails, and by the sandbox gallery. Pure apart
from time on the processor: no file, no network and no clock is touched here.
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
