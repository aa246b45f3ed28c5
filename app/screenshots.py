"""Pictures of the demo for the README: `python -m app.screenshots --out docs/`.

Serves the demo on a free port, drives Chromium through a first edit, and writes demo-desktop.png, demo-phone.png and
their dark twins. Needs Playwright and a Chromium: `pip install playwright` and `apt-get install chromium` (or
`playwright install chromium`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VIEWS = {"desktop": (1440, 960), "phone": (390, 844)}
SEED, ATTRIBUTE = 7, "glasses"
_MISSING = (
    "Taking pictures of the demo needs Playwright and a browser: run `pip install playwright`, and "
    "`apt-get install chromium` or `playwright install chromium`."
)


@contextmanager
def served(**world: Any) -> Iterator[str]:
    """The demo on a free port, for as long as the block lasts; gives its address.

    Args:
        world: arguments of `app.services.World`.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from app.demo import build_demo, launch
    from app.services import World

    demo = build_demo(World(**world))
    _, url, _ = launch(demo, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=None)
    try:
        yield url
    finally:
        demo.close(verbose=False)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium: Debian's if it is there, else Playwright's own."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        sys.exit(_MISSING)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
        except Error as error:
            sys.exit(f"{_MISSING} ({str(error).splitlines()[0]})")
        yield browser
        browser.close()


def open_page(browser: Any, url: str, view: str, *, dark: bool = False) -> Any:
    """A page of the demo that shows its first face."""
    width, height = VIEWS[view]
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        has_touch=view == "phone",
    )
    page.goto(url)
    page.wait_for_selector(".canvas.ready", timeout=60_000)
    return page


def move_slider(page: Any, name: str, percent: int) -> None:
    """Ask for an attribute, as dragging its slider does."""
    slider = page.locator(f'.attribute[data-name="{name}"] input')
    slider.evaluate(
        "(slider, value) => { slider.value = value; for (const kind of ['input', 'change'])"
        " slider.dispatchEvent(new Event(kind, {bubbles: true})); }",
        str(percent),
    )


def settle(page: Any, act: Callable[[], object]) -> None:
    """Do something that ends with a face at rest, and wait for that."""
    count = int(page.get_attribute(".canvas", "data-scenes") or 0)
    act()
    page.wait_for_function(
        "count => Number(document.querySelector('.canvas').dataset.scenes || 0) > count", arg=count, timeout=90_000
    )


def finish_edit(page: Any, tab: str) -> None:
    """Press Edit and wait for the result."""
    settle(page, lambda: page.click(f"#edit-{tab}"))
    page.wait_for_selector(f"#edit-{tab}", state="visible", timeout=10_000)
    page.wait_for_selector("#result .verdict", timeout=10_000)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with served() as url, chromium() as browser:
        for view in VIEWS:
            for dark in (False, True):
                page = open_page(browser, f"{url}?__theme={'dark' if dark else 'light'}", view, dark=dark)
                page.fill("#seed input", str(SEED))
                settle(page, lambda page=page: page.press("#seed input", "Enter"))
                move_slider(page, ATTRIBUTE, 100)
                finish_edit(page, "attributes")
                page.wait_for_timeout(1_500)  # fonts, fades, the slider of before and after
                path = out / f"demo-{view}{'-dark' if dark else ''}.png"
                page.screenshot(path=path, full_page=view == "phone")
                print(path)
                page.close()


if __name__ == "__main__":
    main()
