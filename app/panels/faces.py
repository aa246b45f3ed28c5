"""The faces' panel: sliders of attributes, and keypoints on the picture.

Sliders and dragged points are on one face: where both ask for something, the mapping that edits attributes and
keypoints jointly takes it all; where one does, the mapping of its kind.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.core.gestures import FEATURES, GESTURES, Points, gesture
from app.core.model_sets import Faces
from app.core.session import Plan, Session
from app.panels.panel import EditorPanel
from app.panels.views import AttributeView, asked_of
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


def plan_of(
    view: AttributeView, session: Session, sliders: object, stage: object, options: dict[str, Any], strength: float = 1
) -> Plan:
    """The plan that sliders and points ask for.

    Args:
        view: the faces'.
        session: the face.
        sliders: what they sent.
        stage: what the picture with its points sent.
        options: of the plan.
        strength: how much of the way is to be gone.

    Raises:
        UserError: for what cannot be read, or where nothing is asked for.
    """
    now, faces = view.read(session.latent), view.model_set
    assert isinstance(faces, Faces)
    nothing = "Nothing is asked for yet: move a slider, or drag a point in the tab Keypoints."
    asked, release, moved = asked_of(now, sliders, stage, nothing, strength)
    if not moved:
        return Plan(faces.attributes, asked, release, **options)
    return Plan(faces.keypoints, asked, release, gesture=gesture_of(now.points, moved), **options)


def gesture_of(points: Points, moved: Points) -> str:
    """The gesture that places the points of a face like this, pressed once or twice; "" if none does."""
    for name in GESTURES:
        once = gesture(name, points, {})
        if moved in (once, gesture(name, points, once)):
            return name
    return ""
