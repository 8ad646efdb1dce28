"""Tries the web page in a real browser in one group with clients of the older dialects, against a running server that speaks them, with one app, 101.

    MARTLET_ACCOUNTS_APPS=101 martlet serve --demo
    .venv/bin/python Tests/Page/dialects.py --url http://127.0.0.1:8080 --seed 6000 --course 6002

One line per scenario; they run in order, each goes on where the one before stopped. The exit code is 1 where one failed.
"""

import argparse
import json
import pathlib
import sys
import time
import urllib.request

from playwright.sync_api import expect, sync_playwright

import people
from people import Person
from scenarios import check
from sockets import Console, RoomSocket


class World:
    """One at the page, one at a console of each numbering, and one with a room's client."""

    def __init__(self, browser, options):
        self.url = options.url
        self.mark = format(time.time_ns() // 1_000_000 % 10**8, "d")
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
    deadline = time.monotonic() + people.PATIENCE / 1000
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the server listens")
    parser.add_argument("--seed", type=int, default=6000, help="the port of clusterchat's first numbering")
    parser.add_argument("--course", type=int, default=6002, help="the port of the other one")
    parser.add_argument("--screenshots", default="screenshots", type=pathlib.Path, help="the folder for pictures")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    options = parser.parse_args()
    options.url = options.url.rstrip("/")
    options.screenshots.mkdir(parents=True, exist_ok=True)

    expect.set_options(timeout=people.PATIENCE)
    failed = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        world = World(browser, options)
        for number, scenario in enumerate(ALL, 1):
            began = time.monotonic()
            detail = ""
            try:
                scenario(world)
            except Exception as error:  # Whatever goes wrong is this scenario's failure, and the next is tried.
                failed += 1
                detail = f"\n    {type(error).__name__}: {str(error).strip()[:2000]}"
            world.alice.page.screenshot(path=options.screenshots / f"dialects-{number:02}-{scenario.__name__}.png")
            outcome = "FAILED" if detail else "ok"
            print(f"{outcome:6} {number:2} {scenario.__name__}: {scenario.__doc__} ({time.monotonic() - began:.1f} s){detail}", flush=True)
        browser.close()
    print(f"{len(ALL) - failed} of {len(ALL)} scenarios passed; pictures are in {options.screenshots}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
