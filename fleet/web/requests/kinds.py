"""Kinds of job as requests name them: strings that the registry knows, listed in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from fleet.engine import registry


def _known(kind: str) -> str:
    kinds = registry.current().jobs
    if kind not in kinds:
        raise ValueError(f"no jobs are of this kind; there are {', '.join(kinds)}")
    return kind


class _Listed:
    """Lists the registered kinds in the schema."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "enum": list(registry.current().jobs)}


Kind = Annotated[str, AfterValidator(_known), _Listed()]
"""A kind of job that a feature of this fleet registered."""

StoredKind = Annotated[str, _Listed()]
"""A kind of job in a response. The database may still hold jobs of a feature that is left out now."""
