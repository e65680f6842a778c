"""docs/surfaces.md names all that an adapter has to have, and every error and resolution that it may use."""

from __future__ import annotations

from fleet.adapters import base
from fleet.adapters.base import Adapter, AdapterError, Resolution
from fleet.adapters.social import SocialAdapter
from tests import ROOT

_PAGE = (ROOT / "docs" / "surfaces.md").read_text()


def test_the_page_names_every_member_of_an_adapter() -> None:
    members = {
        name
        for protocol in (Adapter, SocialAdapter)
        for name in (*protocol.__annotations__, *vars(protocol))
        if not name.startswith("_")
    }
    assert {"write", "probe", "actions", "feed"} <= members
    assert [name for name in sorted(members) if f"`{name}`" not in _PAGE and f"`{name}()`" not in _PAGE] == []


def test_the_page_names_every_error_and_every_resolution() -> None:
    errors = {one.__name__ for one in vars(base).values()
              if isinstance(one, type) and issubclass(one, AdapterError) and one is not AdapterError}  # fmt: skip
    names = errors | {one.name for one in Resolution}
    assert len(errors) >= 9
    assert [name for name in sorted(names) if f"| `{name}` |" not in _PAGE] == []
