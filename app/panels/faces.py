"""The faces' workbench: a panel of attributes, and keypoints on the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.core.gestures import FEATURES
from app.core.model_sets import Faces
from app.core.session import Edit, Plan
from app.models.services import Reading
from app.panels.panel import Updates, Workbench
from app.widgets import attribute_sliders as attribute_panel
from app.widgets.report import report


@dataclass
class FaceBench(Workbench):
    """Components and handlers around one face."""

    world: Faces
    noun = "face"
    features = FEATURES

    def build_panel(self) -> gr.HTML:
        """The sliders; made by the tab that shows them."""
        self.panel = attribute_panel.build_panel(elem_id="panel")
        return self.panel

    def look(self, latent: Any, plan: Plan | None = None) -> Reading:
        """The picture of a latent and what is read in it."""
        return self.models.look(self.world, latent)

    def seen(self, step: Any, plan: Plan) -> Reading:
        """The picture of a step and what is read in it."""
        # an attribute editor's c has no keypoints: the points then stay where they are until the end
        spec = self.models.predictor(self.world.heads).spec
        if step.c.shape[1] != spec.dimension:
            spec = type(spec)(attributes=spec.attributes[: step.c.shape[1]], groups=spec.groups)
        return Reading(step.images[0], step.c[0], spec)

    def looked(self, step: Any, plan: Plan) -> Reading:
        """What `look` gives of a step's latent: the points as well."""
        reading = super().looked(step, plan)
        return reading if reading.points else self.models.read(self.world, reading.image[None])

    def marks(self, now: Reading, before: Reading | None = None) -> dict[str, Any]:
        """The keypoints."""
        return {"points": now.points}

    def describe(self, now: Reading) -> str:
        """A face in words."""
        shown = [attribute_panel.label_of(name).lower() for name, p in now.attributes.items() if p > 0.5]
        return f"A drawn face: {', '.join(shown) or 'nothing out of the ordinary'}."

    def in_tabs(self, now: Reading, plan: Plan | None, done: Iterable[str] | None) -> Updates:
        """The sliders."""
        return {self.panel: attribute_panel.reads(now.attributes, done)}

    def report(self, edit: Edit, before: Reading, now: Reading) -> str:
        """What an edit did, as HTML."""
        return report(edit, before, now)
