"""Does a new mapping edit? A few edits of each kind that its condition allows, told by its own predictor, and pictures.

This is the check at the end of `sgf-hub fit`: quick, and not the score of the paper (`sgf-hub evaluate`).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from sgf_hub.data.pictures import labelled_sheet, to_pictures
from sgf_hub.editing import SGFEditor, StopReason
from sgf_hub.evaluation.disentanglement.sweep import flip, starts
from sgf_hub.evaluation.edits import FlipResult, flips, keypoint_moves, measured_with
from sgf_hub.types import Latent, Target

SEED = 1000  # of the latents; pairs are sampled with other seeds
ROWS, COLUMNS = 4, 7  # of the preview, beside the unchanged pictures


@dataclass(frozen=True)
class Checked:
    """Edits of one kind.

    Args:
        name: the attribute that was flipped, "keypoints", or "caption".
        samples: how many edits.
        reached: share that arrived at their target.
        others_changed: mean number of other attributes that changed; None where there are none.
        steps: mean number of steps.
    """

    name: str
    samples: int
    reached: float
    others_changed: float | None
    steps: float


def kinds(editor: SGFEditor) -> tuple[str, ...]:
    """What a mapping's edits are checked for: its attributes, then "keypoints" or "caption"."""
    spec = editor.predictor.spec
    return spec.attributes + ("keypoints",) * bool(spec.keypoints) + ("caption",) * bool(spec.caption)


@torch.no_grad()
def check(editor: SGFEditor, name: str, *, samples: int) -> Checked:
    """Edits of one kind, with our stepping.

    Args:
        editor: what edits.
        name: one of `kinds`.
        samples: how many edits; 2 or more.
    """
    spec = editor.predictor.spec
    editor, config = measured_with(editor, "tuned", keypoints=name == "keypoints")
    if name in spec.attributes:
        flipped: FlipResult = next(
            flips(editor, editor.predictor, config, samples=samples, seed=SEED, attributes=(name,))
        )
        others = flipped.others_changed_by_predictor if len(spec.attributes) > 1 else None
        return Checked(name, samples, flipped.reached, others, flipped.steps)
    if name == "keypoints":
        moved = next(keypoint_moves(editor, editor.predictor, config, samples=samples, seed=SEED))
        others = moved.attributes_changed * len(spec.attributes) if spec.attributes else None
        return Checked(name, samples, moved.reached, others, moved.steps)
    latent = starts(editor, samples, seed=SEED)
    c0 = editor.predictor(editor.generator.synthesize(latent))
    trajectory = editor.edit(latent, _swapped(editor, c0), config)
    reached = sum(reason is StopReason.TARGET_REACHED for reason in trajectory.reasons) / samples
    return Checked(name, samples, reached, None, sum(trajectory.taken) / samples)


def draw_preview(editor: SGFEditor, path: Path) -> None:
    """A sheet of edits: a sample a row, a wish a column; the first samples, and wishes at equal distances in the list.

    Args:
        editor: what edits.
        path: the picture to write.
    """
    latent = starts(editor, ROWS, seed=SEED)
    with torch.no_grad():
        images = editor.generator.synthesize(latent)
        c0 = editor.predictor(images)
    before = [("before", picture) for picture in to_pictures(images)]
    columns = [_column(editor, latent, c0, number) for number in _wishes(editor)]
    labelled_sheet([[before[row], *(column[row] for column in columns)] for row in range(ROWS)]).save(path)


def _wishes(editor: SGFEditor) -> list[int]:
    """Numbers of attributes; beyond those, each stands for the keypoints or captions of other samples."""
    every = len(kinds(editor)) if editor.predictor.spec.attributes else 3
    shown = min(COLUMNS, every)
    return [round(i * (every - 1) / max(shown - 1, 1)) for i in range(shown)]


@torch.no_grad()
def _column(editor: SGFEditor, latent: Latent, c0: torch.Tensor, number: int) -> list[tuple[str, Image.Image]]:
    """(words, picture) of every sample for the wish of that number."""
    predictor, spec = editor.predictor, editor.predictor.spec
    if number < len(spec.attributes):
        name = spec.attributes[number]
        target = flip(predictor, c0, name)
        at = spec.index(name).start
        words = [("- " if score > 0 else "+ ") + name.replace("_", " ") for score in c0[:, at]]
    else:
        target = _swapped(editor, c0, seed=SEED + 1 + number)
        said = getattr(predictor, "words", None)
        words = said(target.c) if spec.caption and said is not None else ["another's keypoints"] * len(latent)
    editor, config = measured_with(editor, "tuned", keypoints=not spec.attributes)
    trajectory = editor.edit(latent, target, config)
    labels = [
        words if reason is StopReason.TARGET_REACHED else f"{words} (missed)"
        for words, reason in zip(words, trajectory.reasons, strict=True)
    ]
    return list(zip(labels, to_pictures(trajectory.result.images), strict=True))


def _swapped(editor: SGFEditor, c0: torch.Tensor, *, seed: int = SEED + 1) -> Target:
    """The captions, or the keypoints, of as many other samples as targets: c0 [B, C] => c1 [B, C]."""
    spec = editor.predictor.spec
    others = editor.predictor(editor.generator.synthesize(starts(editor, len(c0), seed=seed)))
    asked = torch.arange(spec.dimension, device=others.device) >= len(spec.attributes)
    return Target(torch.where(asked, others, c0), asked, torch.zeros_like(asked))
