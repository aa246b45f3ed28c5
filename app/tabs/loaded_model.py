"""The tab of a mapping that was opened by name: hidden until one is."""

from __future__ import annotations

import gradio as gr

from app.panels.hub import HubPanel


def build(panel: HubPanel) -> gr.Tab:
    """Build the tab; gives it, for whoever opens a model."""
    with gr.Tab("Loaded model", id="loaded", elem_id="tab-loaded", visible=False) as tab:
        panel.build_sections()
    inputs = [panel.sliders, panel.stage, panel.text, panel.max_steps, panel.step_size]
    panel.offer(panel.plan_of, inputs, panel.text.submit, by_points=True)
    return tab
