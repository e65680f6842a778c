"""Pictures of pages for docs/images, taken by tests that have made something worth a picture: `make screenshots`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from fleet.access import Role
from fleet.access.sessions import Visit
from fleet.engine.deps import Deps
from fleet.features.users import service as accounts
from fleet.web import server
from fleet.web.auth import plain_cookie_name
from tests.browser import chromium

FOLDER = "SCREENSHOTS"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
_COLOURS = 256


def photograph(deps: Deps, name: str, path: str, *, is_phone: bool = False, scheme: str = "light") -> None:
    """Take a picture of a whole page, if SCREENSHOTS names a folder."""
    if FOLDER not in os.environ:
        return
    from playwright.sync_api import sync_playwright

    user, password = f"photo-{secrets.token_hex(3)}", secrets.token_urlsafe(16)
    accounts.create_user(deps, user, Role.OWNER, password)
    key = accounts.log_in(deps, user, password, Visit("127.0.0.1", "screenshots"))[0]
    target = Path(os.environ[FOLDER]) / f"{name}.png"
    with server.running(deps) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--disable-quic"])
        size: Any = PHONE if is_phone else WIDE
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        context.add_cookies([{"name": plain_cookie_name(urlsplit(url).port), "value": key, "url": url}])
        page = context.new_page()
        page.goto(url + path, wait_until="load")
        page.screenshot(path=target, full_page=True)
        browser.close()
    with Image.open(target) as picture:
        small = picture.convert("RGB").quantize(_COLOURS)
    small.save(target, optimize=True)
