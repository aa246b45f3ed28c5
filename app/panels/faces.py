"""The faces' panel: sliders of attributes, and keypoints on the picture; of drawn faces, and of rendered ones.

Sliders and dragged points are on one face: where both ask for something, the mapping that edits attributes and
keypoints jointly takes it all; where one does, the mapping of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from app.core.gestures import GESTURES, gesture
from app.core.heads import Points
from app.core.model_sets import FIRST, Faces, ModelSet, RenderedFaces
from app.core.session import Plan, Session
from app.core.stopping import Stops
from app.models.loading import bring
from app.models.services import Models
from app.panels.panel import EditorPanel
from app.panels.views import AttributeView, ConditionView, Updates, asked_of
from app.widgets import attribute_sliders


class FacePanel(EditorPanel):
    """Components around one face.

    Args:
        drawn: what drawn faces run on.
        models: shared by all visitors.
        stops: likewise.
        rendered: what rendered faces run on.

    Attributes:
        kinds: both, by their kind.
        of_search: what shows what a search for a photo found, which is of no other picture, and what clears it.
    """

    model_set: Faces
    sliders: gr.HTML | None = None
    noun = "face"

    def __init__(self, drawn: Faces, models: Models, stops: Stops, rendered: RenderedFaces | None = None) -> None:
        self.drawn, self.rendered = drawn, rendered or RenderedFaces()
        self.of_search: dict[Any, Callable[[], Any]] = {}
        self.kinds: dict[str, Faces] = {one.kind: one for one in (self.drawn, self.rendered)}
        super().__init__(self.kinds.get(FIRST, drawn), models, stops)

    @property
    def served(self) -> tuple[Faces, ...]:
        """Both kinds."""
        return tuple(self.kinds.values())

    def build_sliders(self) -> gr.HTML:
        """The sliders; made by the tab that shows them."""
        self.sliders = attribute_sliders.build_sliders(self.model_set.reads, elem_id="panel")
        return self.sliders

    @property
    def outputs(self) -> list[Any]:
        """Likewise, and what was found for a photo."""
        return [*super().outputs, *self.of_search]

    def show(self, view: ConditionView, session: Session, **more: Any) -> Updates:
        """Likewise, without what was found for another picture."""
        cleared = {component: clear() for component, clear in self.of_search.items()}
        return {**super().show(view, session, **more), **cleared}

    def set_of(self, session: Session | None) -> Faces:
        """Whose face it is."""
        model_set = super().set_of(session)
        assert isinstance(model_set, Faces)
        return model_set

    def view_on(self, model_set: ModelSet) -> AttributeView:
        """Attributes and keypoints."""
        return AttributeView(self.models, model_set, self.sliders)

    def load(self, model_set: ModelSet) -> Iterator[str]:
        """What draws and reads such faces."""
        yield from bring(self.models, model_set)


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
