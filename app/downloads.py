"""What a visitor takes home: the picture, the edit as a GIF, the latent. Written when asked for."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from app import render
from app.services import Models
from app.session import Session, present
from app.told import UserError
from app.worlds import World


@dataclass(frozen=True)
class Downloads:
    """Handlers: a session to the path of a file.

    Args:
        world: the repos.
        models: shared by all visitors.
        button: the hidden one that serves the files.
        noun: what the picture shows, in one word.
    """

    world: World
    models: Models
    button: gr.DownloadButton
    noun: str

    def png(self, session: Session | None) -> str:
        """The picture as it is now."""
        session = present(session)
        image = self.models.draw(self.world, session.latent)
        return self._file(session, "png", lambda path: render.write_png(image, path))

    def gif(self, session: Session | None) -> str:
        """The steps of the last edit."""
        session = present(session)
        edit = session.last
        if edit is None:
            raise UserError(f"There is no edit to make a GIF of: edit the {self.noun} first.")
        # the steps are not kept: the same plan takes them again from the same latent
        steps = self.models.steps(edit.plan, session.before)
        images = [step.images[0] for step in itertools.islice(steps, edit.steps + 1)]
        if edit.reason != "TARGET_REACHED":  # the result is the closest step, which need not be the last
            images.append(self.models.draw(self.world, session.latent))
        return self._file(session, "gif", lambda path: render.write_gif(images, path))

    def latent(self, session: Session | None) -> str:
        """The picture's latent, which the page and the library open again."""
        session = present(session)
        latent, generator = session.latent, self.world.generator
        return self._file(session, "safetensors", lambda path: latent.save(path, generator=generator))

    def _file(self, session: Session, suffix: str, write: Callable[[Path], object]) -> str:
        name = self.noun if session.origin.seed is None else f"{self.noun}-{session.origin.seed}"
        name = f"{name}-edit-{session.cursor}" if session.cursor else name
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.{suffix}"
            write(path)
            # Gradio's own copy is the one that is served, and that its `delete_cache` removes
            return str(self.button.move_resource_to_block_cache(path))
