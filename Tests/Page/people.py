"""A person at the page: a browser context with a page, and REST with that person's own tokens."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request

from playwright.sync_api import Browser, Page, expect

import running

PASSWORD = "correct horse 8"
# What the browser itself writes while the network is away. Everything else in the console is a failure.
EXPECTED = ("net::ERR_INTERNET_DISCONNECTED", "net::ERR_NETWORK_CHANGED")


class Person:
    def __init__(self, browser: Browser, url: str, username: str, nickname: str, viewport=(1200, 800), **context):
        self.browser, self.url, self.username, self.nickname = browser, url, username, nickname
        self.options = dict(viewport={"width": viewport[0], "height": viewport[1]}, locale="en-GB", **context)
        self.complaints: list[str] = []
        self.breaks = False
        self.fresh()

    def fresh(self) -> Page:
        """A browser that has never seen the page."""
        if getattr(self, "context", None):
            self.context.close()
        self.context = self.browser.new_context(**self.options)
        return self.open()

    def open(self) -> Page:
        """One more page of this person's browser."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(running.PATIENCE)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.username}: {error}"))
        self.page.goto(self.url)
        return self.page

    def _console(self, message) -> None:
        if message.type not in ("error", "warning") or any(part in message.text for part in EXPECTED):
            return
        if self.breaks and "WebSocket connection to" in message.text:
            return
        self.complaints.append(f"{self.username}: {message.text} ({message.location.get('url', '')})")

    # Signing up and in

    def sign_up(self) -> None:
        page = self.page
        page.click("[data-tab=up]")
        page.fill("[name=username]", self.username)
        page.fill("[name=nickname]", self.nickname)
        page.fill("[name=password]", PASSWORD)
        page.click("form [type=submit]")
        self.online()

    def sign_in(self) -> None:
        page = self.page
        page.fill("[name=username]", self.username)
        page.fill("[name=password]", PASSWORD)
        page.click("form [type=submit]")
        self.online()

    def online(self) -> None:
        self.page.wait_for_selector("html[data-connection=online]", state="attached")

    def reload(self) -> None:
        self.page.reload()
        self.online()

    @property
    def session(self) -> dict:
        return json.loads(self.page.evaluate("localStorage.getItem('martlet.session')"))

    @property
    def id(self) -> int:
        return self.session["userId"]

    # Conversations

    def direct(self, other: "Person") -> str:
        low, high = sorted((self.id, other.id))
        return f"d:{low}:{high}"

    def tab(self, name: str) -> None:
        self.page.click(f"[role=tab][data-tab={name}]")

    def row(self, conversation: str):
        return self.page.locator(f'.conversation[data-id="{conversation}"]')

    def go(self, conversation: str) -> None:
        """Opens a conversation from the list."""
        self.tab("chats")
        self.row(conversation).click()
        self.page.wait_for_selector(f'.chat[data-id="{conversation}"]')

    def leave_chat(self) -> None:
        self.page.evaluate("location.hash = '#/'")
        self.page.wait_for_selector(".chat", state="detached")

    def write(self, text: str) -> None:
        self.page.fill(".input", text)
        self.page.press(".input", "Enter")

    def message(self, text: str):
        """The row of the message with exactly this text."""
        words = self.page.locator(".words").get_by_text(text, exact=True)
        return self.page.locator(".row").filter(has=words)

    def sees(self, text: str, state: str | None = None):
        row = self.message(text)
        expect(row).to_have_count(1)
        if state:
            expect(row).to_have_attribute("data-state", state)
        return row

    def texts(self, prefix: str = "") -> list[str]:
        """The texts of the open chat from top to bottom."""
        return [text for text in self.page.locator(".row .words").all_inner_texts() if text.startswith(prefix)]

    def act(self, text: str, action: str) -> None:
        """Chooses from the menu of a message: an action's name, or an emoji."""
        row = self.sees(text)
        row.hover()
        row.locator("[data-action=message-menu]").click()
        selector = f"[data-action={action}]" if action.isascii() else f'[data-emoji="{action}"]'
        self.page.click(f".menu {selector}")

    def new(self, action: str) -> None:
        self.page.click("[data-action=new]")
        self.page.click(f".menu [data-action={action}]")

    # REST

    def call(self, method: str, path: str, params: dict | None = None) -> dict:
        query = method in ("GET", "DELETE") and params
        url = self.url + path + (f"?{urllib.parse.urlencode(params)}" if query else "")
        body = None if query or params is None else json.dumps(params).encode()
        request = urllib.request.Request(url, body, method=method, headers={
            "content-type": "application/json", "authorization": f"Bearer {self.session['accessToken']}"})
        for _ in range(30):
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return json.load(answer)["data"]
            except urllib.error.HTTPError as error:
                if error.code != 429:
                    raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
                # The limit is the server's to set; it says how long to stay away.
                time.sleep(float(error.headers.get("retry-after") or 1))
        raise AssertionError(f"{method} {path}: refused for its rate again and again")

    def history(self, conversation: str) -> list[dict]:
        """All events of a conversation, from the server."""
        items: list[dict] = []
        params: dict = {"conversationId": conversation, "limit": 100, "after": 0}
        while True:
            page = self.call("GET", "/api/chat/messages", params)
            items += page["items"]
            if page.get("nextCursor") is None or not page["items"]:
                return items
            params["after"] = page["items"][-1]["seq"]
