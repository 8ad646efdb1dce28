"""What the scripts for the pages share: the command line, and scenarios that run in order, with their times and pictures."""

import argparse
import pathlib
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from playwright.sync_api import Browser, Page, expect, sync_playwright

# Milliseconds to wait for what must happen: long, since they only end a scenario that has failed.
PATIENCE = 30_000
# What the scenarios of a script act on.
World = TypeVar("World")


def check(condition, words: str) -> None:
    if not condition:
        raise AssertionError(words)


def mark() -> str:
    """Digits that no earlier run had, for the names and texts of this one."""
    return format(time.time_ns() // 1_000_000 % 10**8, "d")


def options(document: str, *ports: tuple[str, int, str]) -> argparse.Namespace:
    """The command line of a script, whose folder for pictures is there then; `ports` are options by name, default and meaning."""
    parser = argparse.ArgumentParser(description=document.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", type=lambda url: url.rstrip("/"), help="where the server listens")
    for name, default, words in ports:
        parser.add_argument(name, type=int, default=default, help=words)
    parser.add_argument("--screenshots", default="screenshots", type=pathlib.Path, help="the folder for pictures")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    chosen = parser.parse_args()
    chosen.screenshots.mkdir(parents=True, exist_ok=True)
    return chosen


def answers(address: str, otherwise: str) -> bool:
    """Whether the server answers there; where it does not, `otherwise` and the reason are told."""
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError as error:
        print(f"{otherwise}: {error}", file=sys.stderr)
        return False
    return True


def take(folder: pathlib.Path, pages: dict[str, Page]) -> None:
    """Pictures of the moment, by name: of the pages that are open."""
    for name, page in pages.items():
        if not page.is_closed():
            page.screenshot(path=folder / f"{name}.png")


def run(
    options: argparse.Namespace,
    scenarios: list[Callable[[World], None]],
    enter: Callable[[Browser], World],
    pages: Callable[[World, str], dict[str, Page]],
    kinds: bool = False,
) -> int:
    """Runs the scenarios in order in the world that `enter` makes; returns the exit code, which is 1 where one failed.

    `pages` are those of a moment with this label, by the names of their pictures. With `kinds`, a failure is told with its type.
    """
    expect.set_options(timeout=PATIENCE)
    failed = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        world = enter(browser)
        for number, scenario in enumerate(scenarios, 1):
            began = time.monotonic()
            outcome, detail = "ok", ""
            try:
                scenario(world)
            except Exception as error:  # Whatever goes wrong is this scenario's failure, and the next is tried.
                failed += 1
                kind = f"{type(error).__name__}: " if kinds else ""
                outcome, detail = "FAILED", f"\n    {kind}{str(error).strip()[:2000]}"
            take(options.screenshots, pages(world, f"{number:02}-{scenario.__name__}"))
            seconds = time.monotonic() - began
            print(f"{outcome:6} {number:2} {scenario.__name__}: {scenario.__doc__} ({seconds:.1f} s){detail}", flush=True)
        browser.close()
    print(f"{len(scenarios) - failed} of {len(scenarios)} scenarios passed; pictures are in {options.screenshots}")
    return 1 if failed else 0
