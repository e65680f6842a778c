"""How a command is carried out by a fleet elsewhere (`fleet --server`): a call of the REST API, as data.

Commands declare it as `remote=Call(...)`. A command without one works on the fleet's own machine only; an option that
the call does not name is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Options = Mapping[str, Any]
"""What the person gave, by the names of the command's parameters; what is left out is not there."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command as one call. `path` may hold `{parameters}`; a parameter named by `each` makes a call for each value.

    `query` and `body` say under which name a parameter is sent, `usually` what is asked for where the person says
    nothing of it. `columns` are those of a list and `none` what is said of an empty one, `done` what is said when it is
    done (it may hold the answer's fields) and `already` where nothing had to change, `asks` what is asked first.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    usually: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] | Callable[[Options], Mapping[str, Any]] | None = None
    columns: tuple[str, ...] = ()
    none: str = "None."
    each: str = ""
    done: str = ""
    already: str = ""
    asks: str = ""
