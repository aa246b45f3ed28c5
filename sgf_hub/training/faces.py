"""Labelled drawn faces: kept on disk, augmented towards what a generator draws, and asked of a finished predictor."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

_CHUNK = 4000  # faces drawn at once: 50 MB at 64 px


@dataclass(frozen=True)
class LabelledFaces:
    """N faces with exact labels.

    Args:
        images: [N, 3, R, R] uint8, perhaps mapped from disk.
        attributes: [N, A] float32 in {0, 1}.
        causes: [N, R] float32 in [-1, 1].
        keypoints: [N, K, 2] float32 in [0, 1] of the side.
    """

    images: np.ndarray
    attributes: np.ndarray
    causes: np.ndarray
    keypoints: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Images in [-1, 1] (float32), attributes, causes and keypoints of some rows."""
        images = torch.from_numpy(self.images[rows]).float() / 127.5 - 1
        labels = (torch.from_numpy(array[rows]) for array in (self.attributes, self.causes, self.keypoints))
        return images, *labels  # type: ignore[return-value]


def drawn_faces(folder: Path, count: int, *, seed: int, resolution: int, workers: int = 2) -> LabelledFaces:
    """Draw faces once, and read them from `folder` ever after.

    Args:
        folder: where the arrays are kept; the file names tell the arguments and the state of the drawing code.
        count: N.
        seed: of the drawing.
        resolution: R, in pixels.
        workers: processes that draw.
    """
    from sgf_hub.datasets.avatars import sample_batch  # imported late: it loads the drawing library

    probe = sample_batch(
        8, seed=0, resolution=resolution
    )  # another drawing gives other probes, so stale files are left
    version = hashlib.sha256(probe.images.tobytes() + probe.attributes.tobytes() + probe.keypoints.tobytes())
    stem = f"faces-{resolution}px-{count}-seed{seed}-{version.hexdigest()[:8]}"
    image_file, label_file = folder / f"{stem}.npy", folder / f"{stem}.npz"
    if not label_file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        images = np.lib.format.open_memmap(
            image_file, mode="w+", dtype=np.uint8, shape=(count, 3, resolution, resolution)
        )
        labels: dict[str, list[np.ndarray]] = {"attributes": [], "causes": [], "keypoints": []}
        for chunk, start in enumerate(range(0, count, _CHUNK)):
            size = min(_CHUNK, count - start)
            faces = sample_batch(size, seed=seed + chunk, resolution=resolution, workers=workers if size > 500 else 1)
            images[start : start + size] = faces.images
            for key, parts in labels.items():
                parts.append(getattr(faces, key))
        images.flush()
        partial = label_file.with_suffix(".partial.npz")
        np.savez(partial, **{key: np.concatenate(parts) for key, parts in labels.items()})  # type: ignore[arg-type]
        partial.replace(label_file)  # the labels come last: where they are, the images are whole
    with np.load(label_file) as file:
        arrays = {key: file[key] for key in ("attributes", "causes", "keypoints")}
    return LabelledFaces(np.load(image_file, mmap_mode="r"), **arrays)


def augment(images: Tensor, keypoints: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Light distortions that leave every label true. About a third of the faces keep their geometry.

    Shift (3% of the side), scale (4%) and a coarse wobble (under half a pixel at 64 px) of the picture; brightness,
    contrast, tint and a low-frequency blotch; blur; pixel noise. A small GAN's faces are soft, wobbly and blotchy.

    Args:
        images: [B, 3, R, R] in [-1, 1].
        keypoints: [B, K, 2] in [0, 1] of the side; they move with shift and scale.
        generator: the randomness.

    Returns:
        New images (clamped to [-1, 1]) and keypoints.
    """

    def uniform(*shape: int, spread: float = 1.0) -> Tensor:
        return (2 * torch.rand(shape, generator=generator) - 1) * spread

    def some(share: float) -> Tensor:
        return (torch.rand(batch, 1, 1, 1, generator=generator) < share).float()

    batch, _, side, _ = images.shape
    # geometry: output position p shows input position scale * p + shift + wobble(p), all in [-1, 1]
    moved = some(0.65)
    scale, shift = 1 + uniform(batch, 1, 1, 1, spread=0.04) * moved, uniform(batch, 2, 1, 1, spread=0.06) * moved
    wobble = functional.interpolate(uniform(batch, 2, 6, 6, spread=0.012), (side, side), mode="bicubic") * moved
    axis = (torch.arange(side) + 0.5) * 2 / side - 1
    position = torch.stack([axis.expand(side, side), axis[:, None].expand(side, side)])  # [2, R, R] = (x, y)
    grid = (scale * position + shift + wobble).permute(0, 2, 3, 1)  # => [B, R, R, 2]
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    points = ((2 * keypoints - 1) - shift.flatten(1)[:, None]) / scale.flatten(1)[:, None]  # the inverse map
    keypoints = (points + 1) / 2

    # softness: a binomial blur, mixed in by up to all of it
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    weight = torch.outer(kernel, kernel).expand(3, 1, 3, 3)
    blurred = functional.conv2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), weight, groups=3)
    images = torch.lerp(images, blurred, torch.rand(batch, 1, 1, 1, generator=generator) * some(0.5))

    # colour, blotches, noise
    images = images * (1 + uniform(batch, 1, 1, 1, spread=0.12)) + uniform(batch, 1, 1, 1, spread=0.08)
    images = images + uniform(batch, 3, 1, 1, spread=0.03)
    blotches = functional.interpolate(uniform(batch, 3, 8, 8, spread=0.06), (side, side), mode="bilinear") * some(0.4)
    noise = torch.randn(images.shape, generator=generator) * torch.rand(batch, 1, 1, 1, generator=generator) * 0.06
    return (images + blotches + noise).clamp(-1, 1), keypoints


def evaluate(predictor: nn.Module, faces: LabelledFaces, *, most: int | None = None) -> dict[str, Any]:
    """Measure a predictor of all attributes and keypoints against exact labels.

    Args:
        predictor: images to c, attributes first; in evaluation mode.
        faces: the labelled pictures.
        most: how many of them to look at.

    Returns:
        `accuracy` (mean over attributes), `accuracies` and `balanced_accuracies` by name (the second is the mean over
        having and not having it, so a rare attribute cannot hide), `keypoint_error` and `keypoint_errors` by name
        (mean Euclidean distance, share of the side), and `faces`.
    """
    from sgf_hub.datasets.avatars import ATTRIBUTES, KEYPOINTS

    count = min(len(faces), most or len(faces))
    rows = np.arange(count)
    with torch.inference_mode():
        parts = [predictor(faces.batch(some)[0]) for some in np.array_split(rows, math.ceil(count / 128))]
    _, attributes, _, keypoints = faces.batch(rows)
    c = torch.cat(parts)
    right = ((c[:, : len(ATTRIBUTES)] > 0) == (attributes > 0.5)).float()  # [N, A]
    errors = (c[:, len(ATTRIBUTES) :].unflatten(1, keypoints.shape[1:]) - keypoints).norm(dim=-1)  # [N, K]
    present, absent = attributes, 1 - attributes
    balanced = sum((right * side).sum(0) / side.sum(0).clamp(min=1) for side in (present, absent)) / 2
    return {
        "faces": count,
        "accuracy": round(float(right.mean()), 5),
        "keypoint_error": round(float(errors.mean()), 6),
        "accuracies": _named(ATTRIBUTES, right.mean(0), 4),
        "balanced_accuracies": _named(ATTRIBUTES, torch.as_tensor(balanced), 4),
        "keypoint_errors": _named(KEYPOINTS, errors.mean(0), 5),
    }


def _named(names: tuple[str, ...], values: Tensor, digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in zip(names, values.tolist(), strict=True)}
