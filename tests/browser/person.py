"""Somebody at the dashboard in a real browser. They find things as people do: by role, label and name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

PATIENCE_MS = 60_000
MOST_TABS = 80
NO = re.compile(r"cancel|not now|back|keep", re.I)
_FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const called = one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.innerText ?? one.value ?? "";
  const shows = one === document.body || one.matches("main") || style.outlineStyle !== "none"
    || style.boxShadow !== "none";
  return [called.trim(), shows];
}"""
POLICY = re.compile(r"Content.Security.Policy|Refused to|violates the following", re.I)


def expect(what: Any) -> Any:
    """Return Playwright's own expectation: it waits until it holds."""
    from playwright.sync_api import expect as expected

    expected.set_options(timeout=PATIENCE_MS)
    return expected(what)


class Person:
    """A page in a browser of one's own, and what it complained of: errors of scripts and policy, and dialogs."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.script_errors: list[str] = []
        self.policy_errors: list[str] = []
        self.alerts: list[str] = []
        self.page.on("pageerror", lambda error: self.script_errors.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("dialog", self._alerted)

    def _heard(self, message: Any) -> None:
        if POLICY.search(message.text):
            self.policy_errors.append(message.text)

    def _alerted(self, dialog: Any) -> None:
        self.alerts.append(dialog.message)
        dialog.dismiss()

    def go(self, path: str) -> Person:
        """Open a page and wait until its script has come, too."""
        self.page.goto(self.url + path, wait_until="load")
        return self

    def log_in(self, name: str, password: str) -> None:
        """Fill in the form of the login and send it."""
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    @property
    def path(self) -> str:
        """Where one stands."""
        return self.page.url.removeprefix(self.url)

    def link(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("link", name=name)

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name)

    def open_menu(self, name: str) -> None:
        """Follow an entry of the navigation, behind its button where the window is narrow."""
        entry = self.page.get_by_role("navigation").get_by_role("link", name=name, exact=True)
        if not entry.first.is_visible():
            self.page.get_by_role("button", name=re.compile("menu", re.I)).click()
        entry.first.click()

    def press(self, name: str | re.Pattern[str], *, within: Any = None) -> None:
        """Press a button or what looks like one, and say yes if a dialog asks first."""
        where = within or self.page
        where.get_by_role("button", name=name).or_(where.get_by_role("link", name=name)).first.click()
        self.say_yes()

    def say_yes(self) -> None:
        """Answer yes where a dialog asks before something grave is done; it opens at once or not at all."""
        dialog = self.page.locator("dialog[open]")
        if dialog.count():
            dialog.get_by_role("button").filter(has_not_text=NO).last.click()
            expect(dialog).to_have_count(0)

    def said(self, words: str | re.Pattern[str]) -> None:
        """Wait until the page says something to the person."""
        box = self.page.get_by_role("status").or_(self.page.get_by_role("alert"))
        expect(box.filter(has_text=words).first).to_be_visible()

    def see(self, words: str | re.Pattern[str]) -> None:
        """Wait until the page shows something."""
        expect(self.page.get_by_role("main")).to_contain_text(words)

    # With the keyboard alone

    def type(self, *keys: str) -> None:
        """Press keys one after another: names of keys, or words to write."""
        for key in keys:
            if len(key) > 1 and (key in ("Tab", "Enter", "Escape", "Space") or "+" in key):
                self.page.keyboard.press(key)
            else:
                self.page.keyboard.type(key)

    def tab_to(self, name: str) -> None:
        """Press Tab until what is called so has the focus, and see that the focus can be seen."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            called, visible = self.page.evaluate(_FOCUSED)
            assert visible, f"{called!r} has the focus and does not show it"
            if called.startswith(name):
                return
        raise AssertionError(f"Tab leads to no {name!r} on {self.path}")

    def mark(self) -> None:
        """Leave a mark that a reload of the page would wipe away."""
        self.page.evaluate("window.wasHere = true")

    @property
    def is_same_page(self) -> bool:
        """Say whether the page was never loaded anew since `mark`."""
        return bool(self.page.evaluate("window.wasHere === true"))

    def overflow_px(self) -> int:
        """Return by how much the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
