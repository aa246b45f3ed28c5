"""The tab of a mapping that was opened by name: hidden until one is."""

from __future__ import annotations

import gradio as gr

from app.panels.hub_model import GuestBench


def build(bench: GuestBench) -> gr.Tab:
    """Build the tab; gives it, for whoever opens a model."""
    with gr.Tab("Loaded model", id="guest", elem_id="tab-guest", visible=False) as tab:
        bench.build_sections()
    inputs = [bench.panel, bench.stage, bench.text, bench.max_steps, bench.step_size]
    bench.offer(bench.plan_of, inputs, bench.text.submit)
    return tab
