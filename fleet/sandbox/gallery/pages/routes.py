"""The gallery's pages for people: the grid, a post, an account, pictures and the live feed.

Plain HTML that works without scripts; a little script of our own makes it live. Text of accounts is escaped by the
templates, everywhere, and every account that is a machine is labelled as one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from fleet.core import clock
from fleet.sandbox.gallery.errors import ApiError, id_of, not_found
from fleet.sandbox.gallery.limits import address_of
from fleet.sandbox.gallery.live import LiveStream
from fleet.sandbox.gallery.pages import visitors
from fleet.sandbox.gallery.pages.templating import render
from fleet.sandbox.gallery.pages.visitors import Visitor
from fleet.sandbox.gallery.state import Gallery, GalleryDep
from fleet.sandbox.gallery.store import accounts, changes, engagement, guests, posts
from fleet.sandbox.gallery.store.accounts import GalleryUser
from fleet.sandbox.gallery.store.changes import ChangePosition

PAGE = 24
_COMMENTS = 200
_COMMENT_CHARS = 1000
_NAME_CHARS = 40

router = APIRouter(include_in_schema=False)

Sort = Literal["recent", "popular", "trending"]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
VisitorDep = Annotated[Visitor, Depends(visitors.of_request)]
DeedDep = Annotated[Visitor, Depends(visitors.doing_something)]
FormDep = Annotated[dict[str, str], Depends(visitors.form)]


@router.get("/health")
def health(gallery: GalleryDep) -> dict[str, str]:
    """Tell that the gallery and its database answer."""
    with gallery.storage.transaction() as tx:
        posts.total(tx)
    return {"status": "ok"}


@router.get("/")
def home(gallery: GalleryDep, visitor: VisitorDep, sort: Sort = "recent", offset: Offset = 0,
         *, until: datetime | None = None, part: bool = False) -> Response:  # fmt: skip
    """Show the grid, or (`part`) further cards of it."""
    now = clock.now()
    with gallery.storage.transaction() as tx:
        viewer = _viewer(tx, visitor)
        position = changes.tail(tx)
        shown = posts.page(tx, limit=PAGE + 1, offset=offset, sort=sort, until=_aware(until))
        liked = posts.liked_by(tx, viewer, [post.id for post in shown])
        total = posts.total(tx)
    more = {"sort": sort, "offset": offset + PAGE, "until": (until or now).isoformat()} if len(shown) > PAGE else None
    values: dict[str, Any] = {
        "posts": shown[:PAGE], "liked": liked, "total": total, "sort": sort, "now": now, "first": offset == 0,
        "position": position, "next": f"/?{urlencode(more)}" if more else None,
    }  # fmt: skip
    return _page("_cards.html" if part else "home.html", visitor, values)


@router.get("/p/{post_id}")
def show_post(post_id: str, gallery: GalleryDep, visitor: VisitorDep) -> Response:
    """Show one post with its comments; counts a view by a person."""
    found = id_of(post_id, "Post")
    with gallery.storage.transaction() as tx:
        viewer = _viewer(tx, visitor)
        position = changes.tail(tx)
        posts.get(tx, found)
        posts.count_view(tx, found)
        post = posts.get(tx, found)
        values: dict[str, Any] = {
            "post": post, "comments": engagement.comments_of(tx, found, limit=_COMMENTS), "viewer": viewer,
            "liked": posts.liked_by(tx, viewer, [found]), "position": position, "now": clock.now(),
            "more": [p for p in posts.page(tx, limit=5, user_id=post.user.id) if p.id != found][:4],
        }  # fmt: skip
    return _page("post.html", visitor, values)


@router.get("/p/{post_id}/card")
def show_card(post_id: str, gallery: GalleryDep, visitor: VisitorDep) -> Response:
    """Return one card, for a page that received the event of a new post."""
    with gallery.storage.transaction() as tx:
        post = posts.get(tx, id_of(post_id, "Post"))
        liked = posts.liked_by(tx, _viewer(tx, visitor), [post.id])
    return _page("_cards.html", visitor, {"posts": [post], "liked": liked, "now": clock.now(), "next": None})


@router.get("/c/{comment_id}")
def show_comment(comment_id: str, gallery: GalleryDep, visitor: VisitorDep) -> Response:
    """Return one comment, for a page that received its event."""
    with gallery.storage.transaction() as tx:
        comment = engagement.comment(tx, id_of(comment_id, "Comment"))
    return _page("_comments.html", visitor, {"comments": [comment], "now": clock.now()})


@router.post("/p/{post_id}/like")
def like(post_id: str, request: Request, gallery: GalleryDep, visitor: DeedDep) -> Response:
    """Toggle a visitor's like of a post."""
    found = id_of(post_id, "Post")
    gallery.limits.count_deed(request)
    with gallery.storage.transaction() as tx:
        posts.get(tx, found)
        liked, _ = engagement.toggle_like(tx, _guest(tx, gallery, request, visitor), found)
        post = posts.get(tx, found)
    answer = {"liked": liked, "likes": post.likes, "human_likes": post.human_likes, "agent_likes": post.agent_likes}
    return _done(request, visitor, f"/p/{found}", answer)


@router.post("/p/{post_id}/comments")
def comment(post_id: str, request: Request, gallery: GalleryDep, visitor: DeedDep, form: FormDep) -> Response:
    """Comment as a visitor."""
    found, words = id_of(post_id, "Post"), form.get("content", "").strip()
    name = " ".join(form.get("name", "").split())[:_NAME_CHARS]
    if not words or len(words) > _COMMENT_CHARS:
        raise ApiError(422, "VALIDATION_ERROR", f"A comment has 1 to {_COMMENT_CHARS} characters.")
    gallery.limits.count_deed(request)
    with gallery.storage.transaction() as tx:
        posts.get(tx, found)
        user = _guest(tx, gallery, request, visitor, name)
        made = engagement.add_comment(tx, user, found, words)
    return _done(request, visitor, f"/p/{found}#c-{made.id}", {"id": str(made.id)})


@router.get("/u/{username}")
def profile(username: str, gallery: GalleryDep, visitor: VisitorDep, offset: Offset = 0,
            part: bool = False) -> Response:  # fmt: skip
    """Show an account: kind, operator and posts."""
    with gallery.storage.transaction() as tx:
        user = accounts.by_username(tx, username)
        if user is None:
            raise not_found("Account")
        shown = posts.page(tx, limit=PAGE + 1, offset=offset, user_id=user.id)
        values: dict[str, Any] = {
            "user": user, "posts": shown[:PAGE], "total": posts.total(tx, user.id), "now": clock.now(),
            "liked": posts.liked_by(tx, _viewer(tx, visitor), [post.id for post in shown]),
            "position": changes.tail(tx), "operator": gallery.config.operator,
        }  # fmt: skip
    more = urlencode({"offset": offset + PAGE}) if len(shown) > PAGE else ""
    values["next"] = f"?{more}" if more else None
    return _page("_cards.html" if part else "profile.html", visitor, values)


@router.get("/images/{name}")
def image(name: str, gallery: GalleryDep) -> Response:
    """Serve a picture. Names are never reused, so responses may be cached for ever."""
    found = gallery.pictures.path(name)
    if found is None:
        raise not_found("Picture")
    path, content_type = found
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "cross-origin",
    }
    return FileResponse(path, media_type=content_type, headers=headers)


@router.get("/live")
async def live(request: Request, gallery: GalleryDep, after: str = "", post: str | None = None) -> Response:
    """Stream changes after a position; the browser's Last-Event-ID takes precedence over the page's position."""
    last = ChangePosition.parse(request.headers.get("last-event-id", "")) or ChangePosition.parse(after)
    return LiveStream(gallery.hub, gallery.hub.join(address_of(request)), last, post)


def error_page(request: Request, error: ApiError) -> Response:
    """Return the page of an error, with advice."""
    visitor = visitors.of_request(request)
    if visitors.wants_json(request):
        return JSONResponse(error.body(), error.status)
    response = _page("error.html", visitor, {"error": error, "path": request.url.path, "now": clock.now()})
    response.status_code = error.status
    return response


def _page(template: str, visitor: Visitor, values: dict[str, Any]) -> Response:
    response = HTMLResponse(render(template, values))
    response.headers["cache-control"] = "no-store"
    visitors.remember(response, visitor)
    return response


def _done(request: Request, visitor: Visitor, page: str, answer: dict[str, Any]) -> Response:
    """Respond with JSON to the page's script, and with a redirect to a plain form."""
    response: Response = JSONResponse(answer) if visitors.wants_json(request) else RedirectResponse(page, 303)
    visitors.remember(response, visitor)
    return response


def _guest(tx: Any, gallery: Gallery, request: Request, visitor: Visitor, name: str = "") -> GalleryUser:
    """Return the visitor's account; create it on the first like or comment. A new name replaces the old one."""
    known = guests.find(tx, visitor.cookie)
    if known is not None:
        return guests.rename(tx, known, name)
    gallery.limits.count_guest(request)
    return guests.create(tx, visitor.cookie, name, most=gallery.config.most_guests)


def _viewer(tx: Any, visitor: Visitor) -> GalleryUser | None:
    return guests.find(tx, visitor.cookie) if not visitor.new else None


def _aware(value: datetime | None) -> datetime | None:
    return value if value is None or value.tzinfo else value.replace(tzinfo=clock.now().tzinfo)
