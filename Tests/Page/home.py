"""Tries the rooms' page in a real browser, with two guests in one room, against a running server that speaks gowebsocket with open calls.

    .venv/bin/python Tests/Page/home.py --url http://127.0.0.1:8080

One line per scenario; they run in order, each goes on where the one before stopped. The exit code is 1 where one failed.
"""

import json
import sys
import urllib.parse
import urllib.request

from playwright.sync_api import Browser, Page, expect

import running
from running import check

ROOM = 101


class Guest:
    """A browser of its own with the page open."""

    def __init__(self, browser: Browser, url: str, **options):
        self.url = url
        self.complaints: list[str] = []
        self.breaks = False
        self.context = browser.new_context(locale="zh-CN", **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(running.PATIENCE)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # What the server says in each frame, and what the page asks for, are part of what is tried.
        self.frames: list[dict] = []
        self.page.on("websocket", lambda ws: ws.on("framesent", lambda text: self.frames.append(json.loads(text))))

    def _console(self, message) -> None:
        if message.type in ("error", "warning") and not self.breaks:
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def come(self, room: int | None = ROOM) -> None:
        self.page.goto(f"{self.url}/home/index" + ("" if room is None else f"?appId={room}"))
        self.online()

    def online(self) -> None:
        self.page.wait_for_selector(".status[data-state=online]", state="attached")

    @property
    def name(self) -> str:
        return self.page.locator("#me").inner_text()

    def write(self, text: str) -> None:
        self.page.fill("#text", text)
        self.page.click("#write button")

    def message(self, text: str):
        return self.page.locator(".message").filter(has=self.page.locator(".words").get_by_text(text, exact=True))

    def note(self, text: str):
        return self.page.locator(".note").get_by_text(text, exact=True)

    def person(self, name: str):
        return self.page.locator("#people li").get_by_text(name, exact=True)


class World:
    def __init__(self, browser: Browser, url: str):
        self.browser, self.url = browser, url
        self.one = Guest(browser, url, viewport={"width": 1200, "height": 800})
        self.two = Guest(browser, url, viewport={"width": 390, "height": 780}, color_scheme="dark")
        self.mark = running.mark()

    @property
    def guests(self):
        return [self.one, self.two]

    def call(self, method: str, path: str, **parameters) -> dict:
        """A call of a program: by GET in the query, by POST as a form."""
        form = urllib.parse.urlencode(parameters)
        url = f"{self.url}{path}" + (f"?{form}" if method == "GET" else "")
        request = urllib.request.Request(url, None if method == "GET" else form.encode(), method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


def come_in(w: World) -> None:
    """A guest comes in under a name of its own"""
    w.one.come(None)
    check(w.one.page.title() == f"聊天首页--房间Id({ROOM})", f"the title is {w.one.page.title()}")
    name = w.one.name
    check(0 < len(name.encode()) <= 19, f"the name {name} has {len(name.encode())} bytes")
    login = next(frame for frame in w.one.frames if frame["cmd"] == "login")
    check(login["data"] == {"userId": name, "appId": ROOM}, f"the login was {login}")
    expect(w.one.person(f"{name}（我）")).to_have_count(1)


def enter(w: World) -> None:
    """Each sees the other come in, and both are on both lists"""
    w.two.come()
    check(w.one.name != w.two.name, "two guests have one name")
    expect(w.one.note(f"{w.two.name}：哈喽~")).to_have_count(1)
    for guest, other in ((w.one, w.two), (w.two, w.one)):
        expect(guest.person(other.name)).to_have_count(1)
        expect(guest.person(f"{guest.name}（我）")).to_have_count(1)
    count = w.call("GET", "/user/list", appId=ROOM)["data"]["userCount"]
    for guest in w.guests:
        expect(guest.page.locator("#count")).to_have_text(str(count))


def talk(w: World) -> None:
    """Messages go both ways, in order, and one's own is shown once"""
    for guest, other in ((w.one, w.two), (w.two, w.one)):
        for n in range(3):
            guest.write(f"{w.mark} {guest.name} {n}")
            expect(guest.message(f"{w.mark} {guest.name} {n}")).to_have_attribute("data-state", "sent")
        expect(other.message(f"{w.mark} {guest.name} 2")).to_have_count(1)
        expect(other.message(f"{w.mark} {guest.name} 2").locator(".from")).to_have_text(guest.name)
    wanted = [f"{w.mark} {guest.name} {n}" for guest in w.guests for n in range(3)]
    for guest in w.guests:
        texts = [text for text in guest.page.locator(".words").all_inner_texts() if text.startswith(w.mark)]
        check(texts == wanted, f"{guest.name} has {texts}")


def lines(w: World) -> None:
    """Shift and Enter make a line, Enter sends"""
    w.one.page.focus("#text")
    w.one.page.keyboard.type(f"{w.mark} first")
    w.one.page.keyboard.press("Shift+Enter")
    w.one.page.keyboard.type("second")
    w.one.page.keyboard.press("Enter")
    expect(w.two.page.locator(".words").filter(has_text=f"{w.mark} first")).to_have_text(f"{w.mark} first\nsecond")
    expect(w.one.page.locator("#text")).to_have_value("")


def markup(w: World) -> None:
    """Markup is text: in a message, and in a sender's name"""
    text = f"{w.mark} <img src=x onerror=document.title='!'><b>x</b>"
    w.one.write(text)
    expect(w.two.message(text)).to_have_count(1)
    answer = w.call("POST", "/user/sendMessageAll", appId=ROOM, userId="<b>a</b>&amp;", msgId=f"{w.mark}-b", message=f"{w.mark} named")
    check(answer["data"] == {"sendResults": True}, f"the answer is {answer}")
    for guest in w.guests:
        expect(guest.message(f"{w.mark} named").locator(".from")).to_have_text("<b>a</b>&amp;")
        check(guest.page.locator("#messages b").count() == 0, "markup was parsed")
        check(guest.page.title() == f"聊天首页--房间Id({ROOM})", "a script ran")


def programs(w: World) -> None:
    """What a program sends arrives once, whatever the spelling and however often it is sent"""
    for parameters in ({"appId": ROOM, "userId": "程序", "msgId": f"{w.mark}-p"}, {"appID": ROOM, "userID": "程序", "msgID": f"{w.mark}-p"}):
        answer = w.call("POST", "/user/sendMessageAll", **parameters, message=f"{w.mark} program")
        check(answer["code"] == 200, f"the answer is {answer}")
    check(answer["data"] == {}, f"the repeat's answer is {answer}")
    for guest in w.guests:
        expect(guest.message(f"{w.mark} program")).to_have_count(1)
    w.call("GET", "/user/sendMessageAll", appId=ROOM, userId="程序", msgId=f"{w.mark}-q", message=f"{w.mark} behind")
    for guest in w.guests:
        expect(guest.message(f"{w.mark} behind")).to_have_count(1)
        expect(guest.message(f"{w.mark} program")).to_have_count(1)


def one_only(w: World) -> None:
    """What is for one is seen by one"""
    answer = w.call("POST", "/user/sendMessage", appId=ROOM, userId=w.two.name, msgId=f"{w.mark}-o", message=f"{w.mark} for two")
    check(answer["data"] == {"sendResults": True}, f"the answer is {answer}")
    expect(w.two.message(f"{w.mark} for two")).to_have_count(1)
    w.call("POST", "/user/sendMessageAll", appId=ROOM, userId="程序", msgId=f"{w.mark}-r", message=f"{w.mark} for all")
    expect(w.one.message(f"{w.mark} for all")).to_have_count(1)
    expect(w.one.message(f"{w.mark} for two")).to_have_count(0)


def picture(w: World) -> None:
    """A picture is shown, and a link that is none is not"""
    url = f"{w.url}/favicon.svg"
    w.call("POST", "/user/sendMessageAll", appId=ROOM, userId="程序", msgId=f"{w.mark}-i", type="img", url=url)
    for guest in w.guests:
        image = guest.page.locator(f'.words img[src="{url}"]').last
        expect(image).to_have_count(1)
        guest.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
        check(image.bounding_box()["width"] >= 48, "the picture is too small to be seen")
    refused = w.call("POST", "/user/sendMessageAll", appId=ROOM, userId="程序", msgId=f"{w.mark}-j", type="img", url="javascript:alert(1)")
    check(refused["code"] == 1001, f"the answer is {refused}")


def reload(w: World) -> None:
    """After a reload the name is the same, and what was said is there once"""
    name = w.one.name
    w.one.page.reload()
    w.one.online()
    check(w.one.name == name, f"{name} became {w.one.name}")
    for guest in w.guests:
        expect(w.one.message(f"{w.mark} {guest.name} 2")).to_have_count(1)
    expect(w.one.message(f"{w.mark} {name} 2")).to_have_class("message own")
    expect(w.one.person(w.two.name)).to_have_count(1)


def lost(w: World) -> None:
    """A lost connection is told, comes back by itself, and what was missed comes with it"""
    w.two.breaks = True
    # The page's own sockets, since the browser lets open ones live while it is offline.
    w.two.context.set_offline(True)
    w.two.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    expect(w.one.note(f"{w.two.name}：用户已经离开~").last).to_be_visible()
    w.one.write(f"{w.mark} while away")
    expect(w.one.message(f"{w.mark} while away")).to_have_attribute("data-state", "sent")
    w.two.write(f"{w.mark} from away")
    expect(w.two.message(f"{w.mark} from away")).to_have_attribute("data-state", "failed")
    w.two.page.evaluate("dispatchEvent(new Event('online'))")
    expect(w.two.page.locator(".status[data-state=lost]")).to_be_visible()
    expect(w.two.page.locator("#status")).to_contain_text("连接已断开")
    w.two.context.set_offline(False)
    w.two.online()
    expect(w.two.message(f"{w.mark} while away")).to_have_count(1)
    w.two.page.click(".failed button")
    expect(w.two.message(f"{w.mark} from away")).to_have_attribute("data-state", "sent")
    expect(w.one.message(f"{w.mark} from away")).to_have_count(1)
    w.two.breaks = False


def closed(w: World) -> None:
    """Where a call is refused, the page asks for a key, and uses it"""
    guest = Guest(w.browser, w.url)
    keys: list[str] = []

    def answer(route):
        keys.append(route.request.headers.get("x-api-key", ""))
        ok = keys[-1] == "mk_good"
        body = {"code": 200, "msg": "Success", "data": {"userCount": 1, "userList": ["有钥匙"]}} if ok else {"code": 1003, "msg": "未授权", "data": {}}
        route.fulfill(json=body)

    guest.page.route("**/user/list*", answer)
    guest.come()
    expect(guest.page.locator("#key-form")).to_be_visible()
    expect(guest.page.locator(".note").filter(has_text="未授权")).to_have_count(1)
    guest.page.get_by_label("此服务器需要").fill("mk_good")
    guest.page.keyboard.press("Enter")
    expect(guest.page.locator("#key-form")).to_be_hidden()
    expect(guest.person("有钥匙")).to_have_count(1)
    check(keys[0] == "" and keys[-1] == "mk_good", f"the keys were {keys}")
    check(guest.complaints == [], f"the console says {guest.complaints}")
    guest.context.close()


def refused(w: World) -> None:
    """A login that is refused is told, and not tried again and again"""
    guest = Guest(w.browser, w.url)
    logins: list[dict] = []

    def serve(ws):
        def said(text):
            frame = json.loads(text)
            if frame["cmd"] == "login":
                logins.append(frame)
                ws.send(json.dumps({"seq": frame["seq"], "cmd": "login", "response": {"code": 1003, "codeMsg": "未授权", "data": None}}))
        ws.on_message(said)

    guest.page.route_web_socket("**/acc", serve)
    guest.page.goto(f"{w.url}/home/index?appId={ROOM}")
    expect(guest.page.locator(".status[data-state=refused]")).to_contain_text("登录被拒绝：未授权")
    guest.page.click("#retry")
    expect(guest.page.locator(".status[data-state=refused]")).to_be_visible()
    check(len(logins) == 2, f"{len(logins)} logins")
    guest.context.close()


def rooms(w: World) -> None:
    """Rooms are apart, and each leads to the others"""
    link = w.two.page.locator("#rooms a").first
    other = link.get_attribute("href").partition("=")[2]
    link.click()
    w.two.online()
    check(w.two.page.title() == f"聊天首页--房间Id({other})", f"the title is {w.two.page.title()}")
    w.one.write(f"{w.mark} in the first")
    expect(w.one.message(f"{w.mark} in the first")).to_have_attribute("data-state", "sent")
    w.two.write(f"{w.mark} in the other")
    expect(w.two.message(f"{w.mark} in the other")).to_have_attribute("data-state", "sent")
    w.call("POST", "/user/sendMessageAll", appId=ROOM, userId="程序", msgId=f"{w.mark}-y", message=f"{w.mark} last one")
    w.call("POST", "/user/sendMessageAll", appId=other, userId="程序", msgId=f"{w.mark}-z", message=f"{w.mark} last other")
    expect(w.one.message(f"{w.mark} last one")).to_have_count(1)
    expect(w.two.message(f"{w.mark} last other")).to_have_count(1)
    expect(w.one.message(f"{w.mark} in the other")).to_have_count(0)
    expect(w.two.message(f"{w.mark} in the first")).to_have_count(0)


def leave(w: World) -> None:
    """Who leaves is gone from the list"""
    w.two.come()
    name = w.two.name
    expect(w.one.person(name)).to_have_count(1)
    w.two.page.close()
    expect(w.one.note(f"{name}：用户已经离开~").last).to_be_visible()
    expect(w.one.person(name)).to_have_count(0)
    check(name not in w.call("GET", "/user/list", appId=ROOM)["data"]["userList"], "the server still lists who left")


def quiet(w: World) -> None:
    """The console has nothing to say"""
    for guest in w.guests:
        check(guest.complaints == [], f"the console says {guest.complaints}")


ALL = [come_in, enter, talk, lines, markup, programs, one_only, picture, reload, lost, closed, refused, rooms, leave, quiet]


def main() -> int:
    options = running.options(__doc__)
    if not running.answers(f"{options.url}/home/index", f"no rooms' page at {options.url}"):
        return 2
    return running.run(options, ALL, lambda browser: World(browser, options.url), pages)


def pages(world: World, label: str) -> dict[str, Page]:
    return {f"home-{label}-one": world.one.page, f"home-{label}-two": world.two.page}


if __name__ == "__main__":
    sys.exit(main())
