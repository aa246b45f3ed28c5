"""Pictures of the demo for the README: `python -m app.screenshots --out docs/`.

Serves the demo on a free port, drives Chromium through a first edit, and writes demo-desktop.png, demo-phone.png and
their dark twins; and, where the flowers' models are there, demo-captions.png and demo-captions-phone.png. Needs
Playwright and a Chromium: `pip install playwright` and `apt-get install chromium` (or `playwright install chromium`).
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
FLOWER, WORDS = 7, "a small purple flower with pointed petals"
_MISSING = (
    "Taking pictures of the demo needs Playwright and a browser: run `pip install playwright`, and "
    "`apt-get install chromium` or `playwright install chromium`."
)


@contextmanager
def served() -> Iterator[str]:
    """The demo on a free port, for as long as the block lasts; gives its address."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from app.demo import build_demo, launch

    demo = build_demo()
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


def settle(page: Any, act: Callable[[], object], stage: str = "stage") -> None:
    """Do something that ends with a picture at rest, and wait for that."""
    canvas = f"#{stage} .canvas"
    count = int(page.get_attribute(canvas, "data-scenes") or 0)
    act()
    page.wait_for_function(
        "([canvas, count]) => Number(document.querySelector(canvas).dataset.scenes || 0) > count",
        arg=[canvas, count],
        timeout=90_000,
    )


def open_captions(page: Any) -> None:
    """Open the tab Captions, and wait until its flower is read."""
    settle(page, lambda: page.get_by_role("tab", name="Captions").click(), "flower-stage")


def finish_edit(page: Any, tab: str) -> None:
    """Press Edit and wait for the result."""
    prefix = "flower-" if tab == "captions" else ""
    settle(page, lambda: page.click(f"#edit-{tab}"), f"{prefix}stage")
    page.wait_for_selector(f"#edit-{tab}", state="visible", timeout=10_000)
    page.wait_for_selector(f"#{prefix}result .verdict", timeout=10_000)


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
                _take(page, view, out / f"demo-{view}{'-dark' if dark else ''}.png")
            if flowers_are_there():
                page = open_page(browser, f"{url}?__theme=light", view)
                open_captions(page)
                page.fill("#flower-seed input", str(FLOWER))
                settle(page, lambda page=page: page.press("#flower-seed input", "Enter"), "flower-stage")
                page.fill("#caption textarea", WORDS)
                finish_edit(page, "captions")
                _take(page, view, out / f"demo-captions{'-phone' if view == 'phone' else ''}.png")


def _take(page: Any, view: str, path: Path) -> None:
    page.wait_for_timeout(1_500)  # fonts, fades, the slider of before and after
    page.screenshot(path=path, full_page=view == "phone")
    print(path)
    page.close()


def flowers_are_there() -> bool:
    """Whether the embedded zoo holds what the tab Captions needs."""
    from app.worlds import Flowers
    from sgf_hub.zoo import root

    world = Flowers()
    return all((root() / name / "config.json").is_file() for name in (world.generator, *world.heads, world.captions))


if __name__ == "__main__":
    main()
