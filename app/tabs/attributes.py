"""The tab that edits attributes: a slider each, which shows what is read and takes what is wished."""

from __future__ import annotations

import gradio as gr

from app.core.session import Plan, Session
from app.panels.faces import FaceBench
from app.panels.joint import plan_of
from app.tabs.options import build_options
from app.widgets.requested import build_asked


def build(bench: FaceBench) -> None:
    """Build the tab."""
    with gr.Tab("Attributes", id="attributes", elem_id="tab-attributes"):
        gr.HTML(
            "<p class='hint'>Move a slider to ask for a change. Everything else is held, unless you open its lock.</p>",
            apply_default_css=False,
        )
        panel = bench.build_panel()
        build_asked("points")
        bench.build_actions("attributes")
        options = build_options(bench, "attributes")

    def plan(session: Session, sliders: object, points: object, *values: object) -> Plan:
        return plan_of(bench, session, sliders, points, *options.read(*values))

    bench.offer(plan, [panel, bench.stage, *options.inputs])
