"""How an edit goes, for those who want to say: how far, how fast, and which layers of the picture; folded away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.core.requests import layers_of, options_of, strength_of
from app.core.session import STEP_SIZES
from app.panels.panel import EditorPanel

_STRENGTH = (
    "Strength is how much of the way to what you ask for is gone: at 50 a smile becomes half as wide as you asked. "
    "More than 100 goes past points that you moved, and past sliders that are not at their end. "
)
_LAYERS = (
    "Layers of the picture run from its shape (the first two hold most of it) to its colours and fine detail: those "
    "that you leave out stay as they are."
)
_AFTERWARDS = "To go part of the way only, click a step below the picture after the edit. "


@dataclass(frozen=True)
class Options:
    """The controls, and what they say.

    Args:
        controls: by name: "max_steps", and, where they are a choice, "step_size", "strength", "first", "last".
        layers: how many there are.
    """

    controls: dict[str, gr.Slider]
    layers: int

    @property
    def inputs(self) -> list[gr.Slider]:
        """The controls as inputs of an event."""
        return list(self.controls.values())

    def read(self, *values: object) -> tuple[dict[str, Any], float]:
        """The options of a `Plan`, and the strength, from the values of `inputs`."""
        given = dict(zip(self.controls, values, strict=True))
        options = options_of(given["max_steps"], given.get("step_size"))
        if self.layers:
            options["layers"] = layers_of(given["first"], given["last"], self.layers)
        return options, strength_of(given.get("strength", 100))


def build_options(panel: EditorPanel, name: str, *, sized: bool = True) -> Options:
    """The controls, in the tab that is being built.

    Args:
        panel: whose pictures are edited.
        name: of the tab, for the controls' ids.
        sized: whether a step has a size, and a wish a middle: a caption has neither.
    """
    layers = panel.model_set.layers if panel.model_set else 0

    def slider(key: str, low: float, high: float, value: float, step: float, label: str) -> gr.Slider:
        return gr.Slider(low, high, value, step=step, label=label, buttons=[], min_width=150, elem_id=f"{key}-{name}")

    controls: dict[str, gr.Slider] = {}
    with gr.Accordion("Advanced", open=False, elem_classes="options"):
        about = (_STRENGTH if sized else _AFTERWARDS) + (_LAYERS if layers else "")
        gr.HTML(f"<p class='hint'>{about}</p>", apply_default_css=False)
        if sized:
            controls["strength"] = slider("strength", 10, 150, 100, 5, "Strength (percent)")
        with gr.Row():
            controls["max_steps"] = slider("steps", 5, 120, 60, 1, "Steps at most")
            if sized:
                controls["step_size"] = slider("step-size", 0.05, 0.5, STEP_SIZES["w"], 0.05, "Step size")
        if layers:
            with gr.Row():
                controls["first"] = slider("first-layer", 1, layers, 1, 1, "First layer")
                controls["last"] = slider("last-layer", 1, layers, layers, 1, "Last layer")
    return Options(controls, layers)
