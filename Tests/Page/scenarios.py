"""What two people do with the page. The scenarios run in order: each goes on where the one before stopped."""

import json
import re
import urllib.request

from playwright.sync_api import expect

from people import Person
from running import check


class World:
    """Two people, and what they made."""

    def __init__(self, browser, url: str, mark: str):
        self.browser, self.url = browser, url
        self.alice = Person(browser, url, f"alice{mark}", "Alice Weber")
        self.bob = Person(browser, url, f"bob{mark}", "王小明", color_scheme="dark")
        self.chat = ""
        self.group = ""

    @property
    def people(self):
        return [self.alice, self.bob]


def sign_up(w: World) -> None:
    """Two people sign up"""
    for person in w.people:
        person.sign_up()
        expect(person.page.locator(".shell")).to_be_visible()
    w.chat = w.alice.direct(w.bob)


def befriend(w: World) -> None:
    """A friend request arrives live and is accepted"""
    w.alice.new("add-friend")
    w.alice.page.fill("dialog [name=username]", w.bob.username)
    w.alice.page.fill("dialog [name=message]", "Hello, it is Alice")
    w.alice.page.click("dialog [type=submit]")
    expect(w.bob.page.locator("[data-tab=people] .badge")).to_have_text("1")
    w.bob.tab("people")
    expect(w.bob.page.locator("[data-section=requests]")).to_contain_text("Hello, it is Alice")
    w.bob.page.click("[data-section=requests] [data-action=accept]")
    w.alice.tab("people")
    for person, other in ((w.alice, w.bob), (w.bob, w.alice)):
        expect(person.page.locator(f'.person-main[data-user="{other.username}"]')).to_be_visible()
    expect(w.bob.page.locator("[data-tab=people] .badge")).to_be_hidden()


def presence(w: World) -> None:
    """The dot follows the other side's presence"""
    bob = w.alice.page.locator(f'.person-main[data-user="{w.bob.username}"]')
    expect(bob).to_have_attribute("data-online", "true")
    w.bob.page.close()
    expect(bob).to_have_attribute("data-online", "false")
    w.bob.open()
    w.bob.online()
    expect(bob).to_have_attribute("data-online", "true")


def states(w: World) -> None:
    """A message goes stored, delivered, read"""
    w.alice.page.click(f'.person-main[data-user="{w.bob.username}"]')
    w.bob.page.close()
    w.alice.write("Are you there?")
    w.alice.sees("Are you there?", "stored")
    w.bob.open()
    w.bob.online()
    w.alice.sees("Are you there?", "delivered")
    w.bob.go(w.chat)
    w.bob.sees("Are you there?")
    w.alice.sees("Are you there?", "read")


def both_ways(w: World) -> None:
    """Messages go both ways, links are live and markup is text"""
    w.bob.write("I am: <b>here</b> https://example.org/a_(b).")
    row = w.alice.sees("I am: <b>here</b> https://example.org/a_(b).")
    expect(row.locator("a")).to_have_attribute("href", "https://example.org/a_(b)")
    check(row.locator("b").count() == 0, "markup in a message was parsed")
    w.alice.write("你好，小明！")
    w.bob.sees("你好，小明！")
    w.alice.sees("你好，小明！", "read")


def crossing(w: World) -> None:
    """Both write at once: the same order on both sides and on the server"""
    count = 15
    for n in range(count):
        for person in w.people:
            person.write(f"cross {person.username} {n}")
    for person in w.people:
        for writer in w.people:
            person.sees(f"cross {writer.username} {count - 1}")
    wanted = [event["content"]["text"] for event in w.bob.history(w.chat) if event["content"].get("text", "").startswith("cross")]
    check(len(wanted) == 2 * count, f"the server has {len(wanted)} messages")
    for person in w.people:
        for text in wanted:
            person.sees(text)
        check(person.texts("cross") == wanted, f"{person.username} has {person.texts('cross')}, the server {wanted}")


def unread(w: World) -> None:
    """The list counts what is unread, and reading clears it"""
    w.alice.leave_chat()
    w.alice.tab("chats")
    for n in range(3):
        w.bob.write(f"unread {n}")
    expect(w.alice.row(w.chat)).to_have_attribute("data-unread", "3")
    expect(w.alice.page).to_have_title(re.compile(r"^\(3\)"))
    w.bob.sees("unread 2", "delivered")
    w.alice.reload()
    expect(w.alice.row(w.chat)).to_have_attribute("data-unread", "3")
    w.alice.go(w.chat)
    expect(w.alice.row(w.chat)).to_have_attribute("data-unread", "0")
    w.bob.sees("unread 2", "read")


def typing(w: World) -> None:
    """Typing shows on the other side and goes with the message"""
    line = w.alice.page.locator(".titles .typing")
    w.bob.page.locator(".input").press_sequentially("hm")
    expect(line).to_be_visible()
    w.bob.write("hm, well")
    w.alice.sees("hm, well")
    expect(line).to_have_count(0)


def changes(w: World) -> None:
    """Edit, reaction, reply and recall reach the other side"""
    w.alice.write("Meet at nine")
    w.bob.sees("Meet at nine")
    w.alice.act("Meet at nine", "edit")
    w.alice.write("Meet at ten")
    row = w.bob.sees("Meet at ten")
    expect(row.locator(".meta")).to_contain_text("edited")
    w.bob.act("Meet at ten", "👍")
    reaction = w.alice.sees("Meet at ten").locator('.reaction[data-emoji="👍"]')
    expect(reaction).to_have_text("👍1")
    reaction.click()
    expect(w.bob.sees("Meet at ten").locator('.reaction[data-emoji="👍"]')).to_have_text("👍2")
    w.bob.act("Meet at ten", "reply")
    w.bob.write("Ten is fine")
    expect(w.alice.sees("Ten is fine").locator(".quote")).to_contain_text("Meet at ten")
    w.bob.write("a slip")
    w.alice.sees("a slip")
    w.bob.act("a slip", "recall")
    w.bob.page.click("dialog [type=submit]")
    expect(w.alice.message("a slip")).to_have_count(0)
    expect(w.alice.page.locator(".bubble.recalled")).to_have_count(1)
    w.alice.reload()
    w.alice.sees("Meet at ten")
    check("a slip" not in w.alice.texts(), "a reload forgot the changes")
    expect(w.alice.sees("Meet at ten").locator('.reaction[data-emoji="👍"]')).to_have_text("👍2")


def offline(w: World) -> None:
    """What is written offline waits, goes out once and in order, and what was missed arrives"""
    w.alice.breaks = True
    w.alice.context.set_offline(True)
    expect(w.alice.page.locator(".banner")).to_contain_text("offline")
    for n in range(4):
        w.alice.write(f"offline {n}")
        w.alice.sees(f"offline {n}", "waiting")
    for n in range(3):
        w.bob.write(f"meanwhile {n}")
    w.bob.sees("meanwhile 2", "stored")
    w.alice.context.set_offline(False)
    w.alice.online()
    wanted = [f"offline {n}" for n in range(4)]
    for text in wanted:
        w.alice.sees(text, "read")
    for person in w.people:
        for text in wanted + ["meanwhile 2"]:
            person.sees(text)
        check(person.texts("offline") == wanted, f"{person.username} has {person.texts('offline')}")
        check(person.texts("meanwhile") == [f"meanwhile {n}" for n in range(3)], "the other side's messages are not there once and in order")
    expect(w.alice.page.locator(".banner")).to_be_hidden()
    w.alice.breaks = False


def reload_outbox(w: World) -> None:
    """The outbox survives a reload, and sends once"""
    # The page is served again while its socket stays shut, so that nothing can go out before the reload has been looked at.
    shut = {"now": True}
    w.alice.breaks = True
    w.alice.page.route_web_socket("**/ws", lambda ws: ws.close(code=1011) if shut["now"] else ws.connect_to_server())
    w.alice.context.set_offline(True)
    expect(w.alice.page.locator(".banner")).to_contain_text("offline")
    for n in range(3):
        w.alice.write(f"kept {n}")
        w.alice.sees(f"kept {n}", "waiting")
    ids = [w.alice.message(f"kept {n}").get_attribute("data-client-id") for n in range(3)]
    w.alice.context.set_offline(False)
    w.alice.page.reload()
    for n in range(3):
        row = w.alice.sees(f"kept {n}", "waiting")
        check(row.get_attribute("data-client-id") == ids[n], "a reload gave a message another clientId")
    expect(w.bob.message("kept 0")).to_have_count(0)
    shut["now"] = False
    for n in range(3):
        w.alice.sees(f"kept {n}", "read")
    w.bob.sees("kept 2")
    check(w.bob.texts("kept") == ["kept 0", "kept 1", "kept 2"], f"Bob has {w.bob.texts('kept')}")
    stored = [event["clientId"] for event in w.bob.history(w.chat) if event["clientId"] in ids]
    check(stored == ids, f"the server stored {stored} of {ids}")
    # The outbox lets go of them.
    w.alice.page.wait_for_function("!Object.keys(localStorage).some((key) => key.startsWith('martlet.outbox'))")
    w.alice.breaks = False


def group(w: World) -> None:
    """A group with a member: creation, messages, mention, announcement"""
    alice, bob = w.alice, w.bob
    alice.tab("chats")
    alice.new("new-group")
    alice.page.fill("dialog [name=name]", "Swifts & Swallows")
    alice.page.check("dialog [name=members]")
    alice.page.click("dialog [type=submit]")
    alice.page.wait_for_selector('.chat[data-id^="g:"]')
    w.group = alice.page.get_attribute(".chat", "data-id")
    expect(alice.page.locator(".titles small")).to_contain_text("2 members")
    bob.tab("chats")
    expect(bob.row(w.group)).to_contain_text("Swifts & Swallows")
    alice.page.fill(".input", "")
    alice.page.locator(".input").press_sequentially("Welcome @王")
    expect(alice.page.locator(".names li")).to_have_count(1)
    alice.page.keyboard.press("Enter")
    alice.page.locator(".input").press_sequentially("to the group")
    alice.page.keyboard.press("Enter")
    expect(bob.row(w.group)).to_have_attribute("data-unread", "1")
    bob.go(w.group)
    row = bob.sees("Welcome @王小明 to the group")
    check("for-me" in row.get_attribute("class"), "the mention is not marked")
    alice.sees("Welcome @王小明 to the group", "read")
    bob.write("Thank you")
    alice.sees("Thank you")
    alice.page.click("[data-action=group-info]")
    expect(alice.page.locator("[data-section=members] li")).to_have_count(2)
    alice.page.click("dialog [data-action=edit]")
    alice.page.fill("[data-dialog=edit-group] [name=announcement]", "Meeting on Friday")
    alice.page.click("[data-dialog=edit-group] [type=submit]")
    expect(alice.page.locator("[data-dialog=edit-group]")).to_have_count(0)
    alice.page.keyboard.press("Escape")
    expect(bob.page.locator(".announcement")).to_contain_text("Meeting on Friday")


def room(w: World) -> None:
    """The world room: both enter, a message reaches the other"""
    for person in w.people:
        person.tab("chats")
        person.page.locator(".rooms .conversation").first.click()
        person.page.wait_for_selector('.chat[data-id^="r:"]')
        expect(person.page.locator(".titles small")).to_contain_text("here")
    w.alice.write(f"Hello world from {w.alice.username}")
    w.bob.sees(f"Hello world from {w.alice.username}")


def paging(w: World) -> None:
    """History pages in on scrolling up, in order, without repeats, and the place is kept"""
    count = 120
    w.alice.page.close()
    for n in range(count):
        w.bob.call("POST", "/api/chat/send", {
            "conversationId": w.chat, "clientId": f"line-{n}-{w.bob.username}", "type": "text", "content": {"text": f"line {n:03}"}})
    w.alice.fresh()
    w.alice.sign_in()
    w.alice.go(w.chat)
    w.alice.sees(f"line {count - 1:03}")
    page = w.alice.page
    check(len(w.alice.texts("line")) < count, "the first page held everything: nothing was paged")
    for _ in range(12):
        if w.alice.texts("line")[0] == "line 000" and "Are you there?" in w.alice.texts():
            break
        before = page.locator(".row").count()
        # Where the reader's first row stands must not change when rows come in above it.
        place = page.evaluate("""async () => {
            const scroll = document.querySelector('.scroll');
            scroll.scrollTop = 120;
            await new Promise(requestAnimationFrame);
            const row = document.elementFromPoint(innerWidth - 200, scroll.getBoundingClientRect().top + 150).closest('li')
                ?? document.querySelector('.row');
            window.kept = { row, top: row.getBoundingClientRect().top };
        }""")
        # One page may have brought the next with it, up to the first message, before the rows were counted.
        page.wait_for_function("""before => document.querySelectorAll('.row').length > before
            || document.querySelector('.row .words').innerText === 'Are you there?'""", arg=before)
        moved = page.evaluate("Math.abs(window.kept.row.getBoundingClientRect().top - window.kept.top)")
        check(moved < 3, f"the reader's place moved by {moved} px")
    check(w.alice.texts("line") == [f"line {n:03}" for n in range(count)], f"the lines are {w.alice.texts('line')}")
    seqs = [int(row.get_attribute("data-seq")) for row in page.locator(".row").all()]
    check(seqs == sorted(set(seqs)), "rows are out of order or repeated")
    check(w.alice.texts()[0] == "Are you there?", f"the first message is {w.alice.texts()[0]!r}")


def keyboard(w: World) -> None:
    """Enter, Shift+Enter, Escape, arrows and Alt with arrows"""
    page = w.alice.page
    w.alice.go(w.chat)
    page.fill(".input", "first")
    page.press(".input", "Shift+Enter")
    page.locator(".input").press_sequentially("second")
    page.press(".input", "Enter")
    w.bob.tab("chats")
    w.bob.go(w.chat)
    check("first\nsecond" in [text for text in w.bob.texts()] or w.bob.sees("first\nsecond"), "no line break")
    page.press(".input", "ArrowUp")
    expect(page.locator(".about")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".about")).to_be_hidden()
    w.alice.new("add-friend")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    order = [row.get_attribute("data-id") for row in page.locator(".conversation").all()]
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator(".chat")).to_have_attribute("data-id", order[(order.index(w.chat) + 1) % len(order)])
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator(".chat")).to_have_attribute("data-id", w.chat)
    page.locator(".conversation").first.focus()
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.dataset.id")
    check(focused == order[1], f"the focus is on {focused}")
    page.keyboard.press("Enter")
    expect(page.locator(".chat")).to_have_attribute("data-id", order[1])


def friends_settings(w: World) -> None:
    """A remark, a block that refuses a message with a retry, and pinning"""
    alice, bob = w.alice, w.bob
    alice.go(w.chat)
    alice.page.click("[data-action=chat-options]")
    alice.page.click(".menu [data-action=remark]")
    alice.page.fill("dialog [name=remark]", "Ming")
    alice.page.click("dialog [type=submit]")
    expect(alice.page.locator(".titles h2")).to_have_text("Ming")
    alice.page.click("[data-action=chat-options]")
    alice.page.click(".menu [data-action=pin]")
    expect(alice.page.locator(".conversation").first).to_have_attribute("data-id", w.chat)
    alice.page.click("[data-action=chat-options]")
    alice.page.click(".menu [data-action=block]")
    alice.page.click("dialog [type=submit]")
    alice.tab("people")
    expect(alice.page.locator("[data-section=blocked]")).to_contain_text(bob.username)
    bob.go(w.chat)
    bob.write("after all")
    row = bob.sees("after all", "failed")
    expect(row.locator(".failure")).to_be_visible()
    alice.page.click("[data-section=blocked] [data-action=unblock]")
    expect(alice.page.locator("[data-section=blocked]")).to_be_hidden()
    row.locator("[data-action=retry]").click()
    bob.page.wait_for_selector('.row[data-state=failed]', state="detached")
    alice.tab("chats")
    alice.go(w.chat)
    alice.sees("after all")


def chinese(w: World) -> None:
    """The page switches to Chinese and remembers"""
    page = w.alice.page
    for language, tag, chats in (("zh", "zh-CN", "聊天"), ("en", "en", "Chats")):
        page.click("[data-action=settings]")
        page.select_option("dialog [name=language]", language)
        expect(page.locator("html")).to_have_attribute("lang", tag)
        expect(page.locator("#tab-chats")).to_contain_text(chats)
        w.alice.reload()
        expect(page.locator("html")).to_have_attribute("lang", tag)
        expect(page.locator("#tab-chats")).to_contain_text(chats)
        w.shot(f"language-{language}")


def phone(w: World) -> None:
    """At phone width one pane shows at a time"""
    page = w.bob.page
    page.set_viewport_size({"width": 390, "height": 844})
    w.bob.leave_chat()
    side, stage = page.locator(".side"), page.locator(".stage")
    expect(side).to_be_visible()
    expect(stage).to_be_hidden()
    w.shot("phone-list")
    w.bob.row(w.chat).click()
    expect(stage).to_be_visible()
    expect(side).to_be_hidden()
    w.bob.write("from the phone")
    w.alice.go(w.chat)
    w.alice.sees("from the phone")
    for where in ("chat", "list"):
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        check(wide <= 0, f"the {where} is {wide} px too wide")
        if where == "chat":
            w.shot("phone-chat")
            page.click("[data-action=back]")
    expect(side).to_be_visible()
    expect(stage).to_be_hidden()
    page.set_viewport_size({"width": 1200, "height": 800})


def sign_out(w: World) -> None:
    """Signing out leaves nothing behind; signing in brings everything back"""
    page = w.alice.page
    page.click("[data-action=settings]")
    page.click("dialog [data-action=sign-out]")
    expect(page.locator(".auth-form")).to_be_visible()
    left = page.evaluate("Object.keys(localStorage).filter((key) => key !== 'martlet.language')")
    check(left == [], f"left behind: {left}")
    w.alice.sign_in()
    expect(w.alice.row(w.chat)).to_contain_text("Ming")


def reference(w: World) -> None:
    """/docs shows every operation of /openapi.json"""
    with urllib.request.urlopen(f"{w.url}/openapi.json", timeout=10) as answer:
        spec = json.load(answer)
    page = w.alice.open()
    page.goto(f"{w.url}/docs")
    page.wait_for_selector(".operation")
    methods = {"get", "post", "put", "patch", "delete"}
    wanted = {(path, method) for path, item in spec["paths"].items() for method in item if method in methods}
    expect(page.locator(".operation")).to_have_count(len(wanted))
    shown = {(row.get_attribute("data-path"), row.get_attribute("data-method")) for row in page.locator(".operation").all()}
    check(wanted == shown, f"missing {sorted(wanted - shown)}, too many {sorted(shown - wanted)}")
    page.evaluate("for (const element of document.querySelectorAll('details')) element.open = true")
    expect(page.locator(".operation:not(:has(.inside))")).to_have_count(0)
    page.fill("#filter", "register")
    expect(page.locator(".operation:visible")).to_have_count(len([path for path, _ in wanted if "register" in path]))
    w.shot("docs")
    page.close()


def console(w: World) -> None:
    """The browser's console stayed empty: no error, no violation of the content policy"""
    complaints = [line for person in w.people for line in person.complaints]
    check(not complaints, "\n    ".join(complaints))


ALL = [
    sign_up, befriend, presence, states, both_ways, crossing, unread, typing, changes, offline, reload_outbox, group, room, paging,
    keyboard, friends_settings, chinese, phone, sign_out, reference, console,
]
