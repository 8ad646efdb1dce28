"""Tries the web page in a real browser in one group with clients of the older dialects, against a running server that speaks them, with one app, 101.

    MARTLET_ACCOUNTS_APPS=101 martlet serve --demo
    .venv/bin/python Tests/Page/dialects.py --url http://127.0.0.1:8080 --seed 6000 --course 6002

One line per scenario; they run in order, each goes on where the one before stopped. The exit code is 1 where one failed.
"""

import json
import sys
import time
import urllib.request

from playwright.sync_api import Page, expect

import people
import running
from people import Person
from running import check
from sockets import Console, RoomSocket


class World:
    """One at the page, one at a console of each numbering, and one with a room's client."""

    def __init__(self, browser, options):
        self.url = options.url
        self.mark = running.mark()
        self.alice = Person(browser, self.url, f"alice{self.mark}", "Alice Weber")
        self.options = options
        self.group = 0

    @property
    def chat(self) -> str:
        return f"g:{self.group}"

    @property
    def consoles(self):
        return [self.cat, self.dan]

    def register(self, name: str) -> str:
        """Makes an account; returns its token."""
        body = json.dumps({"username": name, "password": people.PASSWORD}).encode()
        request = urllib.request.Request(f"{self.url}/api/user/register", body, headers={"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["data"]["accessToken"]

    def history(self) -> list[str]:
        return [item["content"]["text"] for item in self.alice.history(self.chat) if item.get("type") == "text"]


def come_in(w: World) -> None:
    """Somebody signs up at the page, others at consoles and with a token"""
    w.alice.sign_up()
    w.cat = Console(w.options.seed, "seed", f"cat{w.mark}")
    w.dan = Console(w.options.course, "course", f"dan{w.mark}")
    for console in w.consoles:
        console.sign_in()
    token = w.register(f"gus{w.mark}")
    w.gus = RoomSocket(w.url, f"gus{w.mark}", token)


def gather(w: World) -> None:
    """A group of the page is joined by its number at consoles, and by the others"""
    w.group = w.alice.call("POST", "/api/group/create", {"name": "Everybody", "join": "open"})["groupId"]
    for console in w.consoles:
        console.join(w.group)
    request = urllib.request.Request(
        f"{w.url}/api/group/join", json.dumps({"groupId": w.group}).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {w.gus.token}"})
    urllib.request.urlopen(request, timeout=20).close()
    expect(w.alice.row(w.chat)).to_be_visible()
    deadline = time.monotonic() + running.PATIENCE / 1000
    while w.alice.call("GET", f"/api/group/{w.group}")["members"] < 4:
        check(time.monotonic() < deadline, "not everybody came in")
        time.sleep(0.05)
    w.alice.go(w.chat)


def heard_by_page(w: World) -> None:
    """What the others say shows once in the page, in the group's order"""
    for number in range(5):
        w.cat.say_in(w.group, f"{w.mark} cat {number}")
        w.dan.say_in(w.group, f"{w.mark} dan {number} 你好")
        w.gus.say(f"{w.mark} gus {number} <b>&", w.chat)
    for number in range(5):
        for text in (f"cat {number}", f"dan {number} 你好", f"gus {number} <b>&"):
            w.alice.sees(f"{w.mark} {text}")
    texts = w.alice.texts(w.mark)
    wanted = [text for text in w.history() if text.startswith(w.mark)]
    check(len(wanted) == 15 and texts == wanted, f"the page has {texts}, the group {wanted}")


def heard_by_others(w: World) -> None:
    """What the page says reaches every other client once, in order, and they hear each other"""
    for number in range(5):
        w.alice.write(f"{w.mark} alice {number}")
        w.alice.sees(f"{w.mark} alice {number}")
    last = f"{w.mark} alice 4"
    for client in (w.cat, w.dan, w.gus):
        client.hear(last)
        own = client.name.removesuffix(w.mark)
        wanted = [text for text in w.history() if not text.startswith(f"{w.mark} {own} ")]
        check(client.texts() == wanted, f"{own} has {client.texts()}, the group {wanted}")
    check(w.cat.hear(last)["name"] == w.gus.hear(last)["from"] == "Alice Weber", "the name is another")


def alone(w: World) -> None:
    """The page and a console talk to each other alone"""
    chat = "d:{}:{}".format(*sorted((w.alice.id, w.cat.id)))
    w.cat.say(f"{w.mark} for you", to=w.alice.id)
    w.alice.leave_chat()
    w.alice.go(chat)
    w.alice.sees(f"{w.mark} for you")
    w.alice.write(f"{w.mark} and for you")
    line = w.cat.hear(f"{w.mark} and for you")
    check((line["id"], line["to"]) == (w.alice.id, w.cat.id), f"the line is {line}")
    w.alice.sees(f"{w.mark} and for you")


def missed(w: World) -> None:
    """Who was away from the console finds what the page said in the login's answer, once"""
    w.cat.sign_out()
    w.alice.write(f"{w.mark} while away")
    w.alice.sees(f"{w.mark} while away")
    answer = w.cat.sign_in()
    texts = [json.loads(item)["msg"] for item in answer.get("offlinemsg", [])]
    # Where it came before the console was out, it was shown.
    check((texts + w.cat.texts()).count(f"{w.mark} while away") == 1, f"the answer has {texts}")
    w.cat.sign_out()
    check("offlinemsg" not in w.cat.sign_in(), "it came again")


def quiet(w: World) -> None:
    """Nothing came twice, and the console of the browser has nothing to say"""
    for client in (w.cat, w.dan, w.gus):
        texts = client.texts()
        check(len(texts) == len(set(texts)), f"{client.name} has {texts}")
    check(w.alice.complaints == [], f"the console says {w.alice.complaints}")


ALL = [come_in, gather, heard_by_page, heard_by_others, alone, missed, quiet]


def main() -> int:
    options = running.options(
        __doc__,
        ("--seed", 6000, "the port of clusterchat's first numbering"),
        ("--course", 6002, "the port of the other one"))
    return running.run(options, ALL, lambda browser: World(browser, options), pages, kinds=True)


def pages(world: World, label: str) -> dict[str, Page]:
    return {f"dialects-{label}": world.alice.page}


if __name__ == "__main__":
    sys.exit(main())
