"""The tab that edits attributes: a slider each, which shows what is read and takes what is wished."""

from __future__ import annotations

import gradio as gr

from app.faces import FaceBench
from app.session import Plan, Session
from app.tabs.options import build_options
from app.wishes import attribute_wishes, options_of


def build(bench: FaceBench) -> None:
    """Build the tab."""
    with gr.Tab("Attributes", id="attributes", elem_id="tab-attributes"):
        gr.HTML(
            "<p class='hint'>Move a slider to ask for a change. Everything else is held, unless you open its lock.</p>",
            apply_default_css=False,
        )
        panel = bench.build_panel()
        bench.build_actions("attributes")
        options = build_options()

    def plan(session: Session, value: object, max_steps: object, step_size: object) -> Plan:
        names = bench.models.predictor(bench.world.heads).spec.attributes
        wishes, release = attribute_wishes(value, names)
        return Plan(bench.world.attributes, wishes, release, **options_of(max_steps, step_size))

    bench.offer(plan, [panel, *options])
