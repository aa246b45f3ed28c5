"""What a visitor takes home: the picture, a film of the edits, the latent, the edits. Written when asked for.

A film takes steps again: its handlers are generators that yield what the page shows of their progress.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import UserError
from app.core.session import Edit, Session, present
from app.widgets import render
from app.widgets.scripted import message
from app.widgets.share import state_of

if TYPE_CHECKING:
    from torch import Tensor

    from app.panels.panel import Workbench

_MOST_FRAMES = 600  # of a film: 40 s
Film = Generator[dict, None, dict]
"""What the page shows meanwhile, and with the file at the end."""


@dataclass(frozen=True)
class Downloads:
    """Handlers: a session to the path of a file.

    Args:
        bench: whose picture it is.
    """

    bench: Workbench

    def png(self, session: Session | None) -> dict:
        """The picture as it is now."""
        session = present(session)
        bench = self.bench.of(session)
        image = bench.models.draw(bench.world, session.latent)
        return self._file(session, "png", lambda path: render.write_png(image, path))

    def gif(self, session: Session | None, whole: object = False) -> Film:
        """The steps of the last edit, or of all that stand."""
        return (yield from self._film(session, whole, "gif", render.write_gif))

    def mp4(self, session: Session | None, whole: object = False) -> Film:
        """Likewise."""
        return (yield from self._film(session, whole, "mp4", render.write_mp4))

    def latent(self, session: Session | None) -> dict:
        """The picture's latent, which the page and the library open again."""
        session = present(session)
        latent, generator = session.latent, self.bench.of(session).world.generator
        return self._file(session, "safetensors", lambda path: latent.save(path, generator=generator))

    def edits(self, session: Session | None) -> dict:
        """The picture with all its edits, which the page opens again."""
        session = present(session)
        state = state_of(self.bench.of(session).world, session)
        return self._file(session, "json", lambda path: path.write_text(json.dumps(state, indent=1), "utf-8"))

    def _film(self, session: Session | None, whole: object, kind: str, write: Callable) -> Film:
        session = present(session)
        if session.last is None:
            noun = self.bench.noun
            raise UserError(f"There is no edit to make a {kind.upper()} of: edit the {noun} first.")
        edits = session.standing if whole is True else (session.last,)
        images: list[Tensor] = []
        for number, edit in enumerate(edits, session.cursor - len(edits)):
            before = session.at(number).latent
            for image in self._path(session, edit, before):
                images.append(image)
                if len(images) % 8 == 0:
                    yield self._says(f"Drawing the {kind.upper()}: {len(images)} pictures …")
        every = -(-len(images) // _MOST_FRAMES)
        images = [*images[:-1:every], images[-1]]
        yield self._says(f"Writing the {kind.upper()} …")
        return self._file(session, kind, lambda path: write(images, path), edits=len(edits))

    def _path(self, session: Session, edit: Edit, before: Any) -> Iterator[Tensor]:
        """The pictures of an edit's steps: they are not kept, the same plan takes them again from the same latent."""
        bench = self.bench.of(session)
        for step in itertools.islice(bench.models.steps(edit.plan, before), edit.steps + 1):
            yield step.images[0]
        if (step.latent.data != edit.latent.data).any():  # the result is the closest step, which need not be the last
            yield bench.models.draw(bench.world, edit.latent)

    def _says(self, words: str) -> dict:
        return {self.bench.share: message(status=words)}

    def _file(self, session: Session, suffix: str, write: Callable[[Path], object], edits: int = 1) -> dict:
        noun, seed = self.bench.noun, session.origin.seed
        name = noun if seed is None else f"{noun}-{seed}"
        if suffix == "json" or edits > 1:
            name = f"{name}-edits"
        elif session.cursor:
            name = f"{name}-edit-{session.cursor}"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.{suffix}"
            write(path)
            # Gradio's own copy is the one that is served, and that its `delete_cache` removes
            served = str(self.bench.download.move_resource_to_block_cache(path))
        return {self.bench.download: served, self.bench.share: message(status="")}
