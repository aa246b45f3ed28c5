"""What a visitor takes home: the picture, a film of the edits, the latent, the edits. Written when asked for.

A film takes steps again: its handlers are generators that yield what the page shows of their progress.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import UserError
from app.core.session import Edit, Session, present
from app.models.edit_run import steps
from app.panels.panel import EditorPanel
from app.panels.views import ConditionView
from app.widgets import render
from app.widgets.scripted import message
from app.widgets.share import state_of

if TYPE_CHECKING:
    from torch import Tensor

    from sgf_hub.types import Latent

_MOST_FRAMES = 600  # of a film: 40 s
Film = Generator[dict, None, dict]
"""What the page shows meanwhile, and with the file at the end."""


def png(panel: EditorPanel, view: ConditionView, session: Session | None) -> dict:
    """The picture as it is now."""
    session = present(session)
    image = view.models.draw(view.model_set, session.latent)
    return _file(panel, session, "png", lambda path: render.write_png(image, path))


def gif(panel: EditorPanel, view: ConditionView, session: Session | None, whole: object = False) -> Film:
    """The steps of the last edit, or of all that stand."""
    return (yield from _film(panel, view, session, whole, "gif", render.write_gif))


def mp4(panel: EditorPanel, view: ConditionView, session: Session | None, whole: object = False) -> Film:
    """Likewise."""
    return (yield from _film(panel, view, session, whole, "mp4", render.write_mp4))


def latent(panel: EditorPanel, view: ConditionView, session: Session | None) -> dict:
    """The picture's latent, which the page and the library open again."""
    session = present(session)
    data, generator = session.latent, view.model_set.generator
    return _file(panel, session, "safetensors", lambda path: data.save(path, generator=generator))


def edits(panel: EditorPanel, view: ConditionView, session: Session | None) -> dict:
    """The picture with all its edits, which the page opens again."""
    session = present(session)
    state = state_of(view.model_set, session)
    return _file(panel, session, "json", lambda path: path.write_text(json.dumps(state, indent=1), "utf-8"))


def _film(
    panel: EditorPanel, view: ConditionView, session: Session | None, whole: object, kind: str, write: Callable
) -> Film:
    session = present(session)
    if session.last is None:
        raise UserError(f"There is no edit to make a {kind.upper()} of: edit the {panel.noun} first.")
    shown = session.standing if whole is True else (session.last,)
    images: list[Tensor] = []
    for number, edit in enumerate(shown, session.cursor - len(shown)):
        for image in _path(view, edit, session.at(number).latent):
            images.append(image)
            if len(images) % 8 == 0:
                yield _says(panel, f"Drawing the {kind.upper()}: {len(images)} pictures …")
    every = -(-len(images) // _MOST_FRAMES)
    images = [*images[:-1:every], images[-1]]
    yield _says(panel, f"Writing the {kind.upper()} …")
    return _file(panel, session, kind, lambda path: write(images, path), edits=len(shown))


def _path(view: ConditionView, edit: Edit, before: Latent) -> Iterator[Tensor]:
    """The pictures of an edit's steps: they are not kept, the same plan takes them again from the same latent."""
    for step in itertools.islice(steps(view.models, edit.plan, before), edit.steps + 1):
        yield step.images[0]
    if (step.latent.data != edit.latent.data).any():  # the result is the closest step, which need not be the last
        yield view.models.draw(view.model_set, edit.latent)


def _says(panel: EditorPanel, words: str) -> dict:
    return {panel.share: message(status=words)}


def _file(panel: EditorPanel, session: Session, suffix: str, write: Callable[[Path], object], edits: int = 1) -> dict:
    seed = session.origin.seed
    name = panel.noun if seed is None else f"{panel.noun}-{seed}"
    if suffix == "json" or edits > 1:
        name = f"{name}-edits"
    elif session.cursor:
        name = f"{name}-edit-{session.cursor}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.{suffix}"
        write(path)
        # Gradio's own copy is the one that is served, and that its `delete_cache` removes
        served = str(panel.download.move_resource_to_block_cache(path))
    return {panel.download: served, panel.share: message(status="")}
