"""The flowers' panel: a caption below the picture, and how near it comes to what was asked for."""

from __future__ import annotations

import gradio as gr

from app.core.model_sets import Flowers, ModelSet
from app.core.session import Session
from app.panels.panel import EditorPanel
from app.panels.views import CaptionView


class FlowerPanel(EditorPanel):
    """Components around one flower."""

    model_set: Flowers
    notice: gr.HTML | None = None
    noun = "flower"
    prefix = "flower-"

    def build_notice(self) -> gr.HTML:
        """What is said of the visitor's words before an edit; made by the tab that shows it."""
        self.notice = gr.HTML(elem_id="caption-notice", apply_default_css=False, visible=False)
        return self.notice

    def view_on(self, model_set: ModelSet) -> CaptionView:
        """Captions."""
        return CaptionView(self.models, model_set, self.notice)

    def view_of(self, session: Session | None = None) -> CaptionView:
        """Likewise, of a session."""
        return self.view_on(self.set_of(session))
