"""The pages of CSV files of products: export, and import after a preview."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from fleet.core.errors import FleetError, InvalidInput
from fleet.features.products.api import VIEW, Editor
from fleet.features.products.csvfile import exporting, importing, reading
from fleet.features.products.pages import ProductListQuery
from fleet.web.auth import TheDeps
from fleet.web.problems import status_of
from fleet.web.rendering import go, render

router = APIRouter()
_HERE = "/products/import"


@router.get("/products/export", dependencies=[VIEW])
def export(deps: TheDeps, which: Annotated[ProductListQuery, Query()]) -> Response:
    """Return the products that match as a CSV file."""
    content, _ = exporting.export(deps, which.filter)
    headers = {"content-disposition": f'attachment; filename="{exporting.FILENAME}"', "cache-control": "no-store"}
    return Response(content.encode(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get(_HERE)
def choose(request: Request, who: Editor) -> Response:  # noqa: ARG001
    """Show the form that takes a file."""
    return _form(request)


@router.post(_HERE)
async def look(request: Request, deps: TheDeps, who: Editor) -> Response:
    """Read a file and show what it would change. The user is known before the file is read."""
    given = (await request.form()).get("file")
    try:
        if not isinstance(given, UploadFile) or not given.filename:
            raise InvalidInput("No file was chosen.", fix="Choose a CSV file.")
        content = await given.read(reading.MOST_BYTES + 1)
        made = await run_in_threadpool(importing.look, deps, given.filename, content, organisation="", who=who)
    except FleetError as error:
        return _form(request, error)
    return go(request, f"{_HERE}/{made.id}")


@router.get("/products/import/{import_id}")
def preview(request: Request, deps: TheDeps, who: Editor, import_id: uuid.UUID) -> Response:  # noqa: ARG001
    """Show what a file would change, or has changed."""
    return render(request, "products/import_preview.html", found=importing.show(deps, import_id))


@router.post("/products/import/{import_id}/apply")
def apply(request: Request, deps: TheDeps, who: Editor, import_id: uuid.UUID) -> Response:
    """Make the changes of a file."""
    at = f"{_HERE}/{import_id}"
    try:
        done = importing.apply(deps, import_id, who)
    except FleetError as error:
        return go(request, at, str(error), wrong=True)
    new, changed = done.counts["products_created"], done.counts["products_changed"]
    return go(request, at, f"The file is imported: {new:,} new products, {changed:,} changed.")


def _form(request: Request, problem: FleetError | None = None) -> Response:
    code = 200 if problem is None else status_of(problem)
    return render(request, "products/import.html", code=code, problem=problem, columns=reading.COLUMNS,
                  most_lines=reading.MOST_LINES, most_mb=reading.MOST_BYTES // 1_000_000)  # fmt: skip
