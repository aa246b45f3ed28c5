"""The shell of the demo: theme, page, tabs, and the endpoints for programs."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from app.api import endpoints
from app.core.model_sets import Faces, Flowers
from app.core.stopping import Stops
from app.models.services import Models
from app.panels.events import wire
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.panels.hub import HubPanel
from app.server import gradio_private
from app.server.choice import Choice
from app.server.limits import guards
from app.tabs import attributes, captions, compare, keypoints, loaded_model, photo, zoo

FILES = (300, 900)  # every so many seconds, files older than so many are removed: pages have fetched them long before
STATIC = Path(__file__).parents[1] / "static"
_SANS = ("ui-rounded", "SF Pro Rounded", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Cantarell", "sans-serif")
_MONO = ("ui-monospace", "SF Mono", "Cascadia Code", "DejaVu Sans Mono", "monospace")

HERO = """
<header class="hero">
  <h1>Change one thing. Keep the rest.</h1>
  <p>Ask a face to smile, or a flower to turn purple: what you did not ask for is held.</p>
</header>
"""
FOOT = """
<footer class="foot">sgf-hub: controllable editing with surrogate gradient fields. Every model here is in the
repository, or fetched once where others published it, and runs on this machine.</footer>
"""


def theme() -> gr.themes.Base:
    """Warm paper, plum ink, one accent; fonts of the visitor's own system, so that no request leaves the machine."""
    clay = gr.themes.Color(
        c50="#fdf3ef", c100="#fbe3da", c200="#f6c5b5", c300="#efa088", c400="#e57a5c", c500="#c8472b",
        c600="#b23d23", c700="#93311c", c800="#762919", c900="#5c2116", c950="#35110b", name="clay",
    )  # fmt: skip
    plum = gr.themes.Color(
        c50="#fbf8f4", c100="#f3eee8", c200="#e6dfd8", c300="#d2c9c4", c400="#a79ca2", c500="#7d7280",
        c600="#5f5566", c700="#463d50", c800="#2e2738", c900="#211b2a", c950="#17121e", name="plum",
    )  # fmt: skip
    return gr.themes.Base(
        primary_hue=clay, secondary_hue=plum, neutral_hue=plum, font=_SANS, font_mono=_MONO, radius_size="lg"
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_400",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_color="*neutral_200",
        input_border_color_dark="*neutral_700",
        button_primary_background_fill="*primary_500",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="white",
        button_primary_text_color_dark="*neutral_950",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_200",
        button_secondary_border_color_dark="*neutral_700",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        slider_color="*primary_500",
        slider_color_dark="*primary_400",
    )


def build_demo(
    faces: Faces | None = None, flowers: Flowers | None = None, *, models: Models | None = None
) -> gr.Blocks:
    """The page. Nothing is loaded until a visitor sees the first face, and no flower's until the first flower.

    Args:
        faces: the repos that drawn faces run on; the embedded zoo's by default.
        flowers: those that flowers run on.
        models: where they are loaded; a place of the page's own by default.
    """
    models = models or Models()
    return build_page(FacePanel(faces or Faces(), models, Stops()), FlowerPanel(flowers or Flowers(), models, Stops()))


def build_page(faces: FacePanel, flowers: FlowerPanel, hub_panel: HubPanel | None = None) -> gr.Blocks:
    """The page around its panels; the style sheet shows the one whose tab is selected."""
    hub_panel, choice = hub_panel or HubPanel(faces.models, Stops()), Choice(faces, flowers)
    with gradio_private.page_class()(title="sgf-hub: change one thing, keep the rest", delete_cache=FILES) as demo:
        with gr.Row(elem_classes="masthead"):
            gr.HTML(HERO, apply_default_css=False)
            with gr.Column():
                choice.build()
        with gr.Column(elem_classes="bench"):
            with gr.Column(elem_classes="left"):
                faces.build_stage()
                flowers.build_stage()
                hub_panel.build_stage()
            with gr.Column(elem_classes="right"):
                with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
                    parts = {
                        "attributes": attributes.build(faces),
                        "keypoints": keypoints.build(faces),  # while it is selected, the style sheet shows the points
                        "captions": captions.build(flowers),
                    }
                    parts["photo"] = photo.build(faces)
                    compare_tab = compare.build(faces, flowers)  # it uses the whole width: there is no stage beside it
                    zoo_tab = zoo.build(hub_panel)
                    loaded_tab = loaded_model.build(hub_panel)
                faces.build_result()
                flowers.build_result()
                hub_panel.build_result()
            with gr.Column(elem_classes="below"):  # after the tabs: what edits is few stops of Tab away
                faces.build_tools()
                flowers.build_tools()
                hub_panel.build_tools()
        gr.HTML(FOOT, apply_default_css=False)
        wire(faces, [faces.sliders])
        wire(flowers, [flowers.notice])
        wire(hub_panel, [hub_panel.sliders, hub_panel.notice])
        choice.wire(demo.load, tabs, parts, compare_tab, [faces.sliders, flowers.notice])
        zoo_tab.wire(tabs, loaded_tab)
        endpoints.build(faces, flowers)
    return demo


LAUNCH: dict[str, Any] = {
    "theme": theme(),
    "css_paths": [
        STATIC / f"{name}.css" for name in ("style", "layout", "points", "history", "photo", "compare", "zoo")
    ],
    "footer_links": ["api"],
    "run_history": False,
    "max_file_size": "1mb",
    "max_threads": 64,  # one who waits for a turn holds a thread for half a second at a time
    "state_session_capacity": 200,  # pages that are remembered, about 1 MB each; the one used least is let go
    "ssr_mode": False,
    "show_error": False,
    "enable_monitoring": False,
    **gradio_private.LAUNCH,
}
"""What Gradio 6 takes at launch. Host and port stay Gradio's: GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""


def check_tools(wanted: bool | None) -> None:
    """Say what is missing where the endpoints are to be tools of MCP clients; Gradio would go on without them.

    Args:
        wanted: None leaves it to the environment, as in `gr.Blocks.launch`.
    """
    if wanted is None:
        wanted = os.environ.get("GRADIO_MCP_SERVER", "").lower() == "true"
    if wanted and importlib.util.find_spec("mcp") is None:
        sys.exit('Tools for MCP clients need an extra: run `pip install "gradio[mcp]"`, or start without --mcp.')


def share_memory() -> None:
    """Have all threads take memory from two pools: one for each, as glibc has it, keeps hundreds of MB for nothing."""
    with suppress(OSError, AttributeError):  # another system's C library
        ctypes.CDLL("libc.so.6").mallopt(-8, 2)  # M_ARENA_MAX


def share_interpreter() -> None:
    """Have threads pass the interpreter on every half millisecond, not every five.

    Each of the hundreds of operations of a step lets it go, and would wait so long for a thread that encodes a picture.
    """
    sys.setswitchinterval(0.0005)


def launch(demo: gr.Blocks, load: Callable[[], None] | None = None, **changes: Any) -> Any:
    """Serve the page. Who computes when is `app.core.queue`'s matter; Gradio's queue takes all in.

    Args:
        demo: the page.
        load: called in a thread of its own once the page is served.
        changes: arguments of `gr.Blocks.launch`.
    """
    check_tools(changes.get("mcp_server"))
    share_memory()
    share_interpreter()
    demo.queue(max_size=64, default_concurrency_limit=8, api_open=False)  # there is no way around the line
    waits = not changes.pop("prevent_thread_lock", False)
    app_kwargs = {"middleware": guards()}  # anew: Gradio writes into it
    served = demo.launch(prevent_thread_lock=True, **{**LAUNCH, "app_kwargs": app_kwargs, **changes})
    if load:
        threading.Thread(target=load, daemon=True).start()
    if waits:
        demo.block_thread()
    return served
