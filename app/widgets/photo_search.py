"""A visitor's own picture: checked, and projected into the generator's latents. No Gradio in here.

The picture is never written to the disk, and kept no longer than the search takes: a crop comes as a data URI, and what
stays is the latent that was found.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import UserError
from app.models.services import Models
from app.widgets import render
from app.widgets.captions import safe

if TYPE_CHECKING:  # torch takes seconds to import: the page is served without it
    from torch import Tensor

    from sgf_hub.inversion.projection import Projection, ProjectionConfig, ProjectionStep
    from sgf_hub.inversion.projector import Projector

TITLE = "Your picture, projected."
NEAREST = "The nearest face to your picture."
EXAMPLES = Path(__file__).parents[1] / "static" / "examples"
SHOWN = 256  # px of the two pictures side by side
EVERY = 0.3  # seconds between two previews
CONFIG: dict[str, Any] = {}  # settings of a search other than the library's own


def projector(models: Models, generator: str) -> Projector:
    """What finds latents of a generator, loaded once."""
    from sgf_hub.inversion.projector import Projector

    def load() -> Projector:
        return Projector.from_pretrained(generator, generator=models.generator(generator))

    return models.once(("projector", generator), load)


def picture_of(value: object, zoom: object = 1.0, x: object = 0.5, y: object = 0.5) -> Tensor:
    """What a client sent as a picture, [1, 3, R, R] in [-1, 1].

    Args:
        value: a data URI, or base64.
        zoom: 1 for the largest square, up to 20.
        x: of the square's centre, in [0, 1] of the picture's width.
        y: likewise, of its height.

    Raises:
        UserError: if nothing came.
        BadValueError: if it is no such text or number, or too large.
        CorruptFileError: if it holds no picture.
    """
    from sgf_hub.data import photos

    if value is None or value == "":
        raise UserError("There is no picture yet: choose one first, or take one of the examples.")
    picture = photos.from_data_uri(value)
    return photos.to_images(photos.squared(picture, render.SIDE, zoom=zoom, centre=(x, y)))  # type: ignore[arg-type]


@dataclass
class Search:
    """One search; `steps` is what takes turns, and the rest says where it is.

    Args:
        models: shared by all visitors.
        generator: its name.
        sent: picture, and perhaps zoom, x and y, as a client sent them.
    """

    models: Models
    generator: str
    sent: tuple[object, ...]
    image: Tensor | None = field(default=None, init=False)
    last: ProjectionStep | None = field(default=None, init=False)

    def steps(self) -> Iterator[ProjectionStep]:
        """Check the picture, guess, and search; `last` follows."""
        finder = projector(self.models, self.generator)
        with self.models.computing:
            self.image = picture_of(*self.sent)
        steps = finder.steps(self.image, self.config)
        while True:
            with self.models.computing:
                step = next(steps, None)
            if step is None:
                return
            self.last = step
            yield step

    def outcome(self) -> Projection:
        """What came of it so far."""
        assert self.image is not None and self.last is not None
        with self.models.computing:
            return projector(self.models, self.generator).outcome(self.image, self.last)

    @property
    def config(self) -> ProjectionConfig:
        """How it searches."""
        return replace(projector(self.models, self.generator).config, **CONFIG)

    @property
    def total(self) -> int:
        """Steps at most."""
        return projector(self.models, self.generator).total(self.config)


class Pace:
    """Says when the next preview is due: a search takes 30 steps a second, and a page needs three."""

    def __init__(self) -> None:
        self.last = 0.0

    def due(self) -> bool:
        """Whether one is due now; if so, the next one is not for a while."""
        now = time.monotonic()
        due = now - self.last >= EVERY
        if due:
            self.last = now
        return due


def said(found: Projection) -> tuple[str, str, str]:
    """Tone ("good" or "fair"), a few words and what they mean."""
    similarity = f"{found.similarity[0]:.0%}"
    if found.expressible[0]:
        return "good", f"{similarity} similar", "This face stands in for your picture. Edit it in the other tabs now."
    return (
        "fair",
        "This generator cannot draw your picture",
        f"It only knows faces of its own kind. The nearest one that it found is {similarity} similar: take it if you "
        "like; until then the face that you had stays.",
    )


def searching(search: Search) -> str:
    """A search that runs, as HTML."""
    if search.image is None or search.last is None:
        return ""
    now, total = search.last.index, search.total
    return _beside(
        search.image[0],
        search.last.images[0],
        f'<label class="photo-progress">Step {now} of {total}<progress max="{total}" value="{now}"></progress></label>',
    )


def result(search: Search, found: Projection) -> str:
    """What a search found, as HTML."""
    assert search.image is not None
    tone, words, meaning = said(found)
    percent = f"{found.similarity[0]:.0%}"
    return _beside(
        search.image[0],
        found.images[0],
        f'<div class="verdict {tone}" role="status"><strong>{safe(words)}</strong><p>{safe(meaning)}</p></div>'
        f'<div class="likeness"><span>Similarity</span><span class="meter" aria-hidden="true">'
        f'<i style="width:{percent}"></i></span><output>{percent}</output></div>'
        "<p class='hint'>100% is the same picture, 0% is as far apart as two random faces. It is measured by a second "
        "network, which does not steer the search.</p>",
    )


def _beside(original: Tensor, drawn: Tensor, words: str) -> str:
    """The two pictures side by side, and what is said of them, as HTML."""
    figures = "".join(
        f'<figure><img src="{_shown(image)}" alt="{title}"><figcaption>{title}</figcaption></figure>'
        for image, title in ((original, "Your picture"), (drawn, "Drawn again"))
    )
    return f'<div class="photo-result"><div class="photo-pair">{figures}</div><div>{words}</div></div>'


def answer(search: Search, found: Projection) -> dict[str, Any]:
    """What a search found, for a program."""
    assert search.last is not None
    return {
        "step": search.last.index,
        "of": search.total,
        "similarity": round(found.similarity[0], 4),
        "expressible": found.expressible[0],
        "sentence": found.sentences[0],
    }


def examples() -> dict[str, str]:
    """The drawn faces that a visitor without a picture can try: what each shows, and a data URI."""
    return {
        path.stem.replace("-", " ").capitalize(): "data:image/png;base64,"
        + base64.b64encode(path.read_bytes()).decode()
        for path in sorted(EXAMPLES.glob("*.png"))
    }


def _shown(image: Tensor, side: int = SHOWN) -> str:
    return render.jpeg_uri(render.picture(image, side))
