"""The edit that the page offers of its first picture: `python -m app.offers` chooses the picture, and draws what comes.

Of as many pictures as a sheet shows, it is the one that the edit changes most to the eye, among those in which it
arrives, and changes nothing else: neither as the predictor that steers it reads them, nor as the judge does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.model_sets import Faces, Offer
from app.core.session import STEP_SIZES, VARIETY, Plan
from app.models.edit_run import EditRun
from app.models.services import Models
from app.panels.links import OFFERS
from app.widgets import render
from app.widgets.report import SEEN, change_seen
from app.widgets.sheet import COUNT

if TYPE_CHECKING:
    from torch import Tensor

ASKED = 0.1  # the share of it that a picture may show before


@dataclass(frozen=True)
class Offered:
    """What comes of an offered edit.

    Args:
        after: the picture, [3, R, R].
        changed: how much of it is seen, as `change_seen` has it.
    """

    after: Tensor
    changed: float


def offered(models: Models, faces: Faces, seed: int) -> Offered | None:
    """The offered edit of a face; None if it shows that already, or the edit does not keep what it promises."""
    import torch

    from sgf_hub.editing.changes import changes
    from sgf_hub.predictors.base import ATTRIBUTE_TOLERANCE

    assert isinstance(faces.offer, Offer)
    wishes, latent = faces.offer.wishes, models.sample(faces, seed, VARIETY)
    before, judge = models.read(faces, latent), models.predictor(faces.judge)
    plan = Plan(faces.attributes, wishes, step_size=STEP_SIZES[faces.space])
    edit_run = EditRun(models, plan, latent)
    for _ in edit_run.steps():
        pass
    after = models.read(faces, edit_run.edit().latent)
    with torch.no_grad():
        seen = judge(torch.stack([before.image, after.image]))
    for spec, c0, c1 in ((before.spec, before.c, after.c), (judge.spec, *seen)):
        found = changes(spec, c0, c1, wishes)
        ends = [(abs(wish - found.asked[name][0]), abs(wish - found.asked[name][1])) for name, wish in wishes.items()]
        if found.others or any(was < 1 - ASKED or left > ATTRIBUTE_TOLERANCE for was, left in ends):
            return None
    changed = change_seen(before.image, after.image)
    return Offered(after.image, changed) if changed >= SEEN else None


def main() -> None:
    """The command."""
    models, faces = Models(), Faces()
    found = {seed: one for seed in range(COUNT) if (one := offered(models, faces, seed))}
    best = max(found, key=lambda seed: found[seed].changed)
    OFFERS.mkdir(exist_ok=True)
    path = OFFERS / f"{faces.kind}.jpg"
    render.picture(found[best].after, render.SIDE).save(path, "JPEG", quality=88)
    print(f"{path.name}: face {best}, which must be the first of {type(faces).__name__}")


if __name__ == "__main__":
    main()
