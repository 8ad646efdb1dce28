"""Tries the web page in a real browser, with two people, against a running server.

    python3 -m venv .venv && .venv/bin/pip install -r Tests/Page/requirements.txt
    apt-get install chromium fonts-noto-cjk
    .venv/bin/python Tests/Page/run.py --url http://127.0.0.1:8080

One line per scenario; screenshots stay in a folder. The exit code is 1 where a scenario failed.
"""

import sys

from playwright.sync_api import Browser, Page

import running
from scenarios import ALL, World


def main() -> int:
    options = running.options(__doc__)
    if not running.answers(f"{options.url}/healthz", f"no server answers at {options.url}"):
        return 2

    def enter(browser: Browser) -> World:
        world = World(browser, options.url, running.mark())
        world.shot = lambda label: running.take(options.screenshots, pages(world, label))
        return world

    return running.run(options, ALL, enter, pages)


def pages(world: World, label: str) -> dict[str, Page]:
    return {f"{label}-alice": world.alice.page, f"{label}-bob": world.bob.page}


if __name__ == "__main__":
    sys.exit(main())
