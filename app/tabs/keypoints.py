"""The tab that edits keypoints: dragged on the picture, or moved in groups by the buttons here, which edit at once."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.core.errors import UserError
from app.core.gestures import GESTURES, gesture
from app.core.requests import keypoint_wishes
from app.core.session import Plan, Session, present
from app.panels.events import COMPUTE, QUIET, handled
from app.panels.faces import FacePanel, plan_of
from app.panels.views import AttributeView, Updates
from app.tabs.options import build_options
from app.tabs.other_tab import build_asked
from app.widgets.stage import moves

POSES = {"← Turn left": "turn left", "Turn right →": "turn right", "↑ Look up": "look up", "↓ Look down": "look down"}
EXPRESSIONS = ("smile", "serious", "surprise", "open mouth", "close eyes", "open eyes")


def build(panel: FacePanel) -> gr.Tab:
    """Build the tab; gives it."""
    buttons: dict[str, gr.Button] = {}
    with gr.Tab("Keypoints", id="keypoints", elem_id="tab-keypoints") as tab:
        gr.HTML(
            "<p class='hint'>Drag a point on the picture and let go: the face follows. What belongs together moves "
            "together, the rest is held. Arrow keys move a point too, and Edit goes there.</p>",
            apply_default_css=False,
        )
        for title, chosen in (("Turn the head", POSES), ("Expression", {n.capitalize(): n for n in EXPRESSIONS})):
            gr.HTML(f"<h3 class='group-title'>{title}</h3>", apply_default_css=False)
            with gr.Row(elem_classes="gestures"):
                for label, name in chosen.items():
                    key = name.replace(" ", "-")
                    buttons[name] = gr.Button(label, size="sm", min_width=96, elem_id=f"gesture-{key}")
        build_asked("attributes")
        panel.build_actions("keypoints", "Drag a point, or press a button above.", ("points", "wishes"))
        options = build_options(panel, "keypoints")

    def plan(view: AttributeView, session: Session, points: object, asked: object, *values: object) -> Plan:
        return plan_of(view, session, asked, points, *options.read(view.model_set, *values))

    def pressed(name: str) -> Any:
        def handler(panel: FacePanel, view: AttributeView, session: Session | None, value: object) -> Updates:
            reading = view.read(present(session).latent)
            wished = keypoint_wishes(value, reading.spec.keypoints)
            moved = gesture(name, reading.points, wished)
            if moved == wished:
                raise UserError("The face does that already, as far as it goes: choose another button.")
            return {panel.stage: moves(moved)}

        return handled(panel, handler)

    for name in GESTURES:
        shown = [panel.session, panel.stage]
        buttons[name].click(pressed(name), [*panel.inputs, panel.stage], shown, **COMPUTE, **QUIET)
    panel.offer(plan, [panel.stage, panel.sliders, *options.inputs], by_points=True)
    return tab
