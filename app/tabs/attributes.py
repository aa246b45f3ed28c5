"""The tab that edits attributes: a slider each, which shows what is read and takes what is wished."""

from __future__ import annotations

import gradio as gr

from app.core.session import Plan, Session
from app.panels.faces import FacePanel, plan_of
from app.panels.views import AttributeView
from app.tabs.options import build_options
from app.tabs.other_tab import build_asked


def build(panel: FacePanel) -> gr.Tab:
    """Build the tab; gives it."""
    with gr.Tab("Attributes", id="attributes", elem_id="tab-attributes") as tab:
        gr.HTML(
            "<p class='hint'>Move a slider to ask for a change. Everything else is held, unless you open its lock.</p>",
            apply_default_css=False,
        )
        sliders = panel.build_sliders()
        build_asked("points")
        panel.build_actions("attributes", "Move a slider to ask for something.", ("wishes", "points"))
        options = build_options(panel, "attributes")

    def plan(view: AttributeView, session: Session, asked: object, points: object, *values: object) -> Plan:
        return plan_of(view, session, asked, points, *options.read(view.model_set, *values))

    panel.offer(plan, [sliders, panel.stage, *options.inputs])
    return tab
