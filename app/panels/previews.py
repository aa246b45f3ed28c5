"""What a drag leads to, while the point is still held: a step of the edit at a time, shown and forgotten."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.core.requests import drag_of
from app.core.session import Session, present
from app.models.edit_run import steps
from app.panels.components import Offer
from app.panels.panel import EditorPanel
from app.panels.views import ConditionView, Updates
from app.widgets import render, stage

if TYPE_CHECKING:
    from sgf_hub.types import Latent


@dataclass(frozen=True)
class Dragged:
    """Where a drag's preview has come.

    Args:
        drag: which drag, as the page counts them.
        latent: of the picture that is shown.
    """

    drag: int
    latent: Latent


def of(offer: Offer) -> Callable[..., Updates]:
    """The handler of a drag that goes on: one step from the picture that it shows to where the point is now."""

    def handler(
        panel: EditorPanel, view: ConditionView, session: Session | None, last: object, moved: object, *values: Any
    ) -> Updates:
        assert offer.make_plan is not None
        session, drag = present(session), drag_of(moved)
        plan = replace(offer.make_plan(view, session, *values), max_steps=1)
        latent = last.latent if isinstance(last, Dragged) and last.drag == drag else session.latent
        *_, step = itertools.islice(steps(view.models, plan, latent), 2)
        now = view.read_step(step, plan)
        image = render.jpeg_uri(render.picture(now.image, render.PREVIEW), 82)
        return {panel.dragged: Dragged(drag, step.latent), panel.stage: stage.preview(drag, image, now.points)}

    return handler
