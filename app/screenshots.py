"""Pictures of every tab of the demo: `python -m app.screenshots [--out docs/screens] [--only photo]`.

Serves the demo on a free port, drives Chromium through the main path of each tab, at the widths of a desktop and a
phone, light and dark, and writes {tab}-{desktop|phone}[-dark].jpg. Needs Playwright and a Chromium: `pip install
playwright` and `apt-get install chromium` (or `playwright install chromium`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from app.core.model_sets import FLOWERS, KINDS, RENDERED, Faces, Flowers, RenderedFaces
from sgf_hub.hub.provenance import stamp

VIEWS = {"desktop": (1440, 960), "phone": (390, 844)}
SEED, ATTRIBUTE = 7, "glasses"
FLOWER, WORDS = 7, "a small purple flower with pointed petals"
SUBJECTS = {one.kind: one.subject for one in (Faces, RenderedFaces, Flowers)}
GUEST = "sgf-avatars-progan-attributes"
SHOWN = (GUEST, *(name for kind in (Faces(), RenderedFaces(), Flowers()) for name in (*kind.editors, *kind.heads)))
_MISSING = (
    "Taking pictures of the demo needs Playwright and a browser: run `pip install playwright`, and "
    "`apt-get install chromium` or `playwright install chromium`."
)


@contextmanager
def served(port: int | None = None) -> Iterator[str]:
    """The demo on a port, by default a free one, for as long as the block lasts; gives its address."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from app.server.page import build_demo, launch

    demo = build_demo()
    _, url, _ = launch(demo, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=port)
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


def move_slider(page: Any, name: str, percent: int, panel: str = "#panel") -> None:
    """Ask for an attribute, as dragging its slider does."""
    slider = page.locator(f'{panel} .attribute[data-name="{name}"] input')
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


def choose(page: Any, kind: str) -> None:
    """Choose another kind of picture, of `model_sets.KINDS`, and wait until one of it is read."""
    page.locator("#kind label", has_text=KINDS[kind]).click()
    tab, stage = ("captions", "flower-stage") if kind == FLOWERS else ("attributes", "stage")
    page.wait_for_selector(f"#tab-{tab}-button", timeout=90_000)
    page.wait_for_selector(f"#{stage} .stage-picture[alt^='{SUBJECTS[kind]}']", state="attached", timeout=90_000)
    page.wait_for_selector("#kind input:enabled", timeout=10_000)


def open_captions(page: Any) -> None:
    """Choose flowers, which have the tab Captions alone, and wait until the first one is read."""
    choose(page, FLOWERS)


def finish_edit(page: Any, tab: str) -> None:
    """Press Edit and wait for the result."""
    prefix = "flower-" if tab == "captions" else ""
    settle(page, lambda: page.click(f"#edit-{tab}"), f"{prefix}stage")
    _over(page, tab, prefix)


def _over(page: Any, tab: str, prefix: str = "", most: int = 10_000) -> None:
    """Wait until an edit is over and its verdict is there."""
    page.wait_for_selector(f"#edit-{tab}", state="visible", timeout=most)
    page.wait_for_selector(f"#{prefix}result .verdict", state="attached", timeout=10_000)


# -- the main path of each tab --------------------------------------------------------------------------------------


def open_tab(page: Any, name: str) -> None:
    """Select a tab; where the page is narrow, from the menu that holds the tabs which found no place."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if tab.count() and tab.first.is_visible():
        tab.first.click()
        return
    page.get_by_role("button", name="More tabs").click()
    page.locator("#tabs .overflow-dropdown button", has_text=name).click()


def attributes(page: Any) -> None:
    """A face of a seed, with glasses."""
    page.fill("#seed input", str(SEED))
    settle(page, lambda: page.press("#seed input", "Enter"))
    move_slider(page, ATTRIBUTE, 100)
    finish_edit(page, "attributes")


def rendered(page: Any) -> None:
    """A rendered face, with glasses."""
    choose(page, RENDERED)
    move_slider(page, ATTRIBUTE, 100)
    finish_edit(page, "attributes")


def keypoints(page: Any) -> None:
    """Its head turned, by the button."""
    open_tab(page, "Keypoints")
    settle(page, lambda: page.click("#gesture-turn-right"))
    _over(page, "keypoints")


def captions(page: Any) -> None:
    """A flower, by a sentence."""
    open_captions(page)
    page.fill("#flower-seed input", str(FLOWER))
    settle(page, lambda: page.press("#flower-seed input", "Enter"), "flower-stage")
    page.fill("#caption textarea", WORDS)
    finish_edit(page, "captions")


def photo(page: Any) -> None:
    """The first of the example pictures, found."""
    open_tab(page, "Photo")
    page.locator(".photo-example").first.click()
    page.wait_for_selector(".photo-crop", state="visible", timeout=10_000)
    page.click("#edit-photo")
    page.wait_for_selector(".photo-found .verdict", timeout=120_000)
    page.wait_for_selector("#edit-photo", state="visible", timeout=30_000)


def compare(page: Any) -> None:
    """Every method's way to glasses."""
    open_tab(page, "Compare")
    page.wait_for_selector("#path-source img[src]", timeout=60_000)
    page.click("#compare-go")
    page.wait_for_selector('#path-latent-descent .path[data-state="done"]', timeout=120_000)
    page.wait_for_selector("#compare-go", state="visible", timeout=10_000)


def zoo(page: Any) -> None:
    """The cards."""
    open_tab(page, "Zoo")
    page.wait_for_selector("#zoo-cards img", timeout=60_000)


def loaded(page: Any) -> None:
    """A mapping of another generator, opened by its name, and an edit with it."""
    open_tab(page, "Zoo")
    page.fill("#zoo-name input, #zoo-name textarea", GUEST)
    settle(page, lambda: page.click("#zoo-open"), "loaded-stage")
    move_slider(page, ATTRIBUTE, 100, "#loaded-panel")
    settle(page, lambda: page.click("#edit-loaded"), "loaded-stage")
    _over(page, "loaded", "loaded-", most=60_000)


SCENES: dict[str, Callable[[Any], None]] = {
    scene.__name__: scene for scene in (rendered, attributes, keypoints, captions, photo, compare, zoo, loaded)
}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/screens"), help="folder for the pictures")
    parser.add_argument("--only", choices=SCENES, help="one tab's pictures")
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    with served() as url, chromium() as browser:
        for name in [options.only] if options.only else SCENES:
            for view in VIEWS:
                for dark in (False, True):
                    page = open_page(browser, f"{url}?__theme={'dark' if dark else 'light'}", view, dark=dark)
                    SCENES[name](page)
                    # of a phone what it shows at once, with the bar at its bottom
                    _take(page, out / f"{name}-{view}{'-dark' if dark else ''}.jpg", whole=view != "phone")


def _take(page: Any, path: Path, *, whole: bool) -> None:
    page.wait_for_timeout(1_500)  # fonts, fades, the slider of before and after
    picture = Image.open(BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    picture.save(path, quality=80, comment=stamp(SHOWN))
    print(path)
    page.close()


if __name__ == "__main__":
    main()
