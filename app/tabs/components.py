"""GANSpace by hand: principal components, how far along each, and in which layers."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from app.compare.comparison import Comparison
from app.compare.paths import picture
from app.core.model_sets import ModelSet
from app.core.requests import component_of, layers_of
from app.core.session import Session, present
from app.panels.events import COMPUTE, QUIET, handled
from app.panels.faces import FacePanel
from app.widgets.attribute_sliders import label_of

COUNT = 80  # components that the public tool fits, and the zoo's; the models say how many there are
ROWS = 3
FAR = 20  # standard deviations, as far as the evaluation goes
_FIRST = (5, 7, 1)  # components to begin with


def build(panel: FacePanel) -> Callable[..., str]:
    """Build the fold, and listen to it; gives what its sliders do."""
    layers = max(one.layers for one in panel.served)

    def about(model_set: ModelSet) -> str:
        by_layer = f"; layers from coarse (1) to fine ({model_set.layers})" if model_set.layers else ""
        return (
            "<p class='hint'>A component is a direction in which this generator's pictures differ most, found without "
            f"names. Choose some, and how far to go along each, in standard deviations{by_layer}.</p>"
        )

    with gr.Accordion("GANSpace by hand: components and layers", open=False, elem_classes="options by-hand") as fold:
        panel.fitting[gr.HTML(about(panel.model_set), apply_default_css=False)] = about
        controls: list[Any] = []
        with gr.Row(elem_classes="by-hand-halves"):
            with gr.Column(elem_classes="by-hand-rows", min_width=280):
                for i in range(ROWS):
                    with gr.Row(elem_classes="by-hand-row"):
                        options: dict[str, Any] = {"step": 1, "buttons": [], "min_width": 110}
                        by_layer = {**options, "visible": bool(panel.model_set.layers)}
                        controls += [
                            gr.Slider(1, COUNT, _FIRST[i] + 1, label="Component",
                                      elem_id=f"component-{i}", **options),
                            gr.Slider(-FAR, FAR, 0, label="Strength", elem_id=f"sigmas-{i}",
                                      **{**options, "step": 0.5}),
                            gr.Slider(1, layers, 1, label="First layer", elem_id=f"first-{i}", **by_layer),
                            gr.Slider(1, layers, layers, label="Last layer", elem_id=f"last-{i}", **by_layer),
                        ]  # fmt: skip
                        panel.fitting.update(dict.fromkeys(controls[-2:], _where_there_are_layers))
            shown = gr.HTML(apply_default_css=False, elem_id="by-hand")
            panel.fitting[shown] = lambda model_set: ""  # what was moved were other faces

    def move(session: Session | None, *values: object) -> str:
        """The picture before and after, and what the components seem to do."""
        model_set, latent = panel.set_of(session), present(session).latent
        editor = Comparison(model_set, panel.models).ganspace()
        notes, moved = [], latent
        for i in range(ROWS):
            number, strength, first, last = values[4 * i : 4 * i + 4]
            component, sigmas = component_of(number, strength, len(editor.components.lat_comp), FAR)
            rows = layers_of(first, last, model_set.layers) if model_set.layers else None
            notes.append(f"<li>Component {component + 1}: {escape(seems(editor.components.choices, component))}</li>")
            if sigmas:
                moved = editor.edit_component(moved, component, sigmas, rows)
        before, after = (panel.models.draw(model_set, one) for one in (latent, moved))
        figures = "".join(
            f'<figure><img src="{picture(image)}" alt="{title}"><figcaption>{title}</figcaption></figure>'
            for title, image in (("Before", before), ("Moved", after))
        )
        return f"<div class='vote-figures'>{figures}</div><ul class='seems' role='status'>{''.join(notes)}</ul>"

    handler = handled(panel, lambda panel, view, session, *values: {shown: move(session, *values)})
    events = [fold.expand, *(slider.release for slider in controls)]
    gr.on(events, handler, [*panel.inputs, *controls], [panel.session, panel.stage, shown], **COMPUTE, **QUIET)
    return move


def _where_there_are_layers(model_set: ModelSet) -> gr.Slider:
    return gr.Slider(visible=bool(model_set.layers))


def seems(choices: Any, component: int) -> str:
    """What a component was measured to be best at, in words.

    Args:
        choices: attribute to `Choice`.
        component: which, from 0.
    """
    found = []
    for name, choice in choices.items():
        if choice.component == component:
            where = "" if choice.layers is None else f" (layers {choice.layers[0] + 1} to {choice.layers[1]})"
            found.append(f"{'more' if choice.sign > 0 else 'less'} {label_of(name).lower()}{where}")
    return ", ".join(found) if found else "it is no attribute's best one."
