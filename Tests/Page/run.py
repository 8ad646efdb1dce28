"""Tries the web page in a real browser, with two people, against a running server.

    python3 -m venv .venv && .venv/bin/pip install -r Tests/Page/requirements.txt
    apt-get install chromium fonts-noto-cjk
    .venv/bin/python Tests/Page/run.py --url http://127.0.0.1:8080

One line per scenario; screenshots stay in a folder. The exit code is 1 where a scenario failed.
"""

import argparse
import pathlib
import sys
import time
import urllib.request

from playwright.sync_api import expect, sync_playwright

import people
import scenarios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the server listens")
    parser.add_argument("--screenshots", default="screenshots", type=pathlib.Path, help="the folder for pictures")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    options = parser.parse_args()
    url = options.url.rstrip("/")
    options.screenshots.mkdir(parents=True, exist_ok=True)
    try:
        urllib.request.urlopen(f"{url}/healthz", timeout=5).close()
    except OSError as error:
        print(f"no server answers at {url}: {error}", file=sys.stderr)
        return 2

    expect.set_options(timeout=people.PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        world = scenarios.World(browser, url, mark=format(time.time_ns() // 1_000_000 % 10**8, "d"))
        failed = 0
        for number, scenario in enumerate(scenarios.ALL, 1):
            name = scenario.__name__
            # Pictures of the moment: of whoever has a page open.
            world.shot = lambda label: pictures(world, options.screenshots, label)
            began = time.monotonic()
            try:
                scenario(world)
                outcome = "ok"
            except Exception as error:  # Whatever goes wrong is this scenario's failure, and the next is tried.
                outcome = "FAILED"
                failed += 1
                detail = str(error).strip()
            pictures(world, options.screenshots, f"{number:02}-{name}")
            print(f"{outcome:6} {number:2} {name}: {scenario.__doc__} ({time.monotonic() - began:.1f} s)", flush=True)
            if outcome != "ok":
                print(f"    {detail[:2000]}", flush=True)
        browser.close()
    print(f"{len(scenarios.ALL) - failed} of {len(scenarios.ALL)} scenarios passed; pictures are in {options.screenshots}")
    return 1 if failed else 0


def pictures(world, folder: pathlib.Path, label: str) -> None:
    for person, name in ((world.alice, "alice"), (world.bob, "bob")):
        if not person.page.is_closed():
            person.page.screenshot(path=folder / f"{label}-{name}.png")


if __name__ == "__main__":
    sys.exit(main())
