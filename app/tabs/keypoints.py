"""The tab that edits keypoints: dragged on the picture, or moved in groups by the buttons here."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.core.gestures import GESTURES, gesture
from app.core.requests import keypoint_wishes
from app.core.session import Plan, Session, present
from app.panels.faces import FaceBench
from app.panels.joint import plan_of
from app.panels.wiring import COMPUTE, QUIET, in_turn
from app.tabs.options import build_options
from app.widgets.requested import build_asked
from app.widgets.stage import moves

POSES = {"← Turn left": "turn left", "Turn right →": "turn right", "↑ Look up": "look up", "↓ Look down": "look down"}
EXPRESSIONS = ("smile", "serious", "surprise", "open mouth", "close eyes", "open eyes")


def build(bench: FaceBench) -> None:
    """Build the tab."""
    buttons: dict[str, gr.Button] = {}
    with gr.Tab("Keypoints", id="keypoints", elem_id="tab-keypoints"):
        gr.HTML(
            "<p class='hint'>Drag the points on the picture to where they should be, or let a button place them. "
            "Then press Edit: the rest of the face is held.</p>",
            apply_default_css=False,
        )
        for title, chosen in (("Turn the head", POSES), ("Expression", {n.capitalize(): n for n in EXPRESSIONS})):
            gr.HTML(f"<h3 class='group-title'>{title}</h3>", apply_default_css=False)
            with gr.Row(elem_classes="gestures"):
                for label, name in chosen.items():
                    key = name.replace(" ", "-")
                    buttons[name] = gr.Button(label, size="sm", min_width=96, elem_id=f"gesture-{key}")
        build_asked("attributes")
        bench.build_actions("keypoints")
        options = build_options(bench, "keypoints")

    def plan(session: Session, points: object, sliders: object, *values: object) -> Plan:
        return plan_of(bench, session, sliders, points, *options.read(*values))

    def pressed(name: str) -> Any:
        def handler(session: Session | None, value: object) -> dict[str, Any]:
            reading = bench.models.look(bench.world, present(session).latent)
            return moves(gesture(name, reading.points, keypoint_wishes(value, reading.spec.keypoints)))

        return in_turn(bench.models.turns, handler)

    for name in GESTURES:
        buttons[name].click(pressed(name), [bench.session, bench.stage], [bench.stage], **COMPUTE, **QUIET)
    bench.offer(plan, [bench.stage, bench.panel, *options.inputs])
