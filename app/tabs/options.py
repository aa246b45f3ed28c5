"""How an edit steps, for those whose edit ran out of steps."""

from __future__ import annotations

import gradio as gr


def build_options(*, sized: bool = True) -> list[gr.Slider]:
    """The number of steps, and their size where that is a choice, folded away."""
    with gr.Accordion("Stepping", open=False, elem_classes="options"), gr.Row():
        options = [gr.Slider(5, 120, 60, step=1, label="Steps at most", buttons=[], min_width=150)]
        if sized:
            options.append(gr.Slider(0.05, 0.5, 0.2, step=0.05, label="Step size", buttons=[], min_width=150))
    return options
