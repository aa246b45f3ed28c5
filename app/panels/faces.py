"""The faces' panel: sliders of attributes, and keypoints on the picture."""

from __future__ import annotations

import gradio as gr

from app.core.gestures import FEATURES
from app.core.model_sets import Faces
from app.core.session import Session
from app.panels.panel import EditorPanel
from app.panels.views import AttributeView
from app.widgets import attribute_sliders


class FacePanel(EditorPanel):
    """Components around one face."""

    model_set: Faces
    sliders: gr.HTML | None = None
    noun = "face"
    features = FEATURES

    def build_sliders(self) -> gr.HTML:
        """The sliders; made by the tab that shows them."""
        self.sliders = attribute_sliders.build_sliders(elem_id="panel")
        return self.sliders

    def view_of(self, session: Session | None = None) -> AttributeView:
        """The same for all visitors."""
        return AttributeView(self.models, self.model_set, self.sliders, "A drawn face", grouped=False)
