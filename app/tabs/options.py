"""How an edit goes, for those who want to say: how far, how fast, and which layers of the picture; folded away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.core.model_sets import ModelSet
from app.core.requests import layers_of, options_of, strength_of
from app.core.session import STEP_SIZES
from app.panels.components import ADVANCED
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
    """

    controls: dict[str, gr.Slider]

    @property
    def inputs(self) -> list[gr.Slider]:
        """The controls as inputs of an event."""
        return list(self.controls.values())

    def read(self, model_set: ModelSet, *values: object) -> tuple[dict[str, Any], float]:
        """The options of a `Plan`, and the strength, from the values of `inputs`."""
        given = dict(zip(self.controls, values, strict=True))
        options = options_of(given["max_steps"], given.get("step_size"))
        if model_set.layers:
            options["layers"] = layers_of(given["first"], given["last"], model_set.layers)
        return options, strength_of(given.get("strength", 100))


def build_options(panel: EditorPanel, name: str, *, sized: bool = True) -> Options:
    """The controls, in the tab that is being built.

    Args:
        panel: whose pictures are edited.
        name: of the tab, for the controls' ids.
        sized: whether a step has a size, and a wish a middle: a caption has neither.
    """
    model_set = panel.set_of(None)
    layers = max(one.layers for one in panel.served)

    def slider(key: str, low: float, high: float, value: float, step: float, label: str) -> gr.Slider:
        return gr.Slider(low, high, value, step=step, label=label, buttons=[], min_width=150, elem_id=f"{key}-{name}")

    def about(model_set: ModelSet) -> str:
        words = f"{ADVANCED} " + (_STRENGTH if sized else _AFTERWARDS) + (_LAYERS if model_set.layers else "")
        return f"<p class='hint'>{words}</p>"

    controls: dict[str, gr.Slider] = {}
    with gr.Accordion("Advanced", open=False, elem_classes="options"):
        panel.fitting[gr.HTML(about(model_set), apply_default_css=False)] = about
        if sized:
            controls["strength"] = slider("strength", 10, 150, 100, 5, "Strength (percent)")
        with gr.Row():
            controls["max_steps"] = slider("steps", 5, 120, 60, 1, "Steps at most")
            if sized:
                size = slider("step-size", 0.05, 0.5, STEP_SIZES[model_set.space], 0.05, "Step size")
                controls["step_size"] = size
                panel.fitting[size] = lambda model_set: STEP_SIZES[model_set.space]
        if layers:
            with gr.Row(visible=bool(model_set.layers)) as row:
                controls["first"] = slider("first-layer", 1, layers, 1, 1, "First layer")
                controls["last"] = slider("last-layer", 1, layers, layers, 1, "Last layer")
            panel.fitting[row] = lambda model_set: gr.Row(visible=bool(model_set.layers))
    return Options(controls)
