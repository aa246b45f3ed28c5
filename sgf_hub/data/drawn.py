"""Labelled drawn pictures: kept on disk, augmented towards what a generator draws, and a predictor's test."""

import hashlib
import json
import math
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sgf_hub.errors import BadValueError

WORLDS = ("avatars", "flowers")  # packages of sgf_hub.data that draw pictures and label them
_LABELS = ("attributes", "causes", "keypoints")  # a world has the first, and perhaps the others
_CHUNK = 4000  # pictures drawn at once: 50 MB at 64 px


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What the columns of labels are.

    Args:
        attributes: A names.
        groups: sets of them of which at most one holds.
        keypoints: K names.
        causes: how many numbers the pictures were made of, M.
    """

    attributes: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...] = ()
    keypoints: tuple[str, ...] = ()
    causes: int = 0


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """N pictures with labels.

    Args:
        images: [N, 3, R, R] uint8, perhaps mapped from disk.
        attributes: [N, A] float32 in [0, 1]; NaN where it cannot be told.
        causes: [N, M] float32 in [-1, 1], or None in a world without them.
        keypoints: [N, K, 2] float32 in [0, 1] of the side, or None in a world without them.
        captions: N tuples of sentences, or None in a world without them.
    """

    images: np.ndarray
    attributes: np.ndarray
    causes: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    captions: list[tuple[str, ...]] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Images in [-1, 1] (float32), attributes, causes and keypoints of some rows."""
        images = torch.from_numpy(self.images[rows]).float() / 127.5 - 1
        causes, keypoints = (
            None if array is None else torch.from_numpy(array[rows]) for array in (self.causes, self.keypoints)
        )
        return images, torch.from_numpy(self.attributes[rows]), causes, keypoints


def load_world(name: str) -> ModuleType:
    """The package that draws a world; loaded here, late, because it loads the drawing library.

    Raises:
        BadValueError: if there is no such world.
    """
    if name not in WORLDS:
        raise BadValueError(f"world is {name!r}; choose {' or '.join(map(repr, WORLDS))}.")
    return import_module(f"sgf_hub.data.{name}")


def meaning_of(world: str) -> Meaning:
    """What a drawn world labels.

    Raises:
        BadValueError: if there is no such world.
    """
    package = load_world(world)
    keypoints, causes = getattr(package, "KEYPOINTS", ()), getattr(package, "CAUSES", ())
    return Meaning(
        attributes=package.ATTRIBUTES, groups=package.EXCLUSIVE, keypoints=tuple(keypoints), causes=len(causes)
    )


def drawn(world: str, folder: Path, count: int, *, seed: int, resolution: int, workers: int | None = None) -> Labelled:
    """Draw pictures once, and read them from `folder` ever after.

    Args:
        world: whose pictures: one of `WORLDS`.
        folder: where the arrays are kept; the file names tell the arguments and the state of the drawing code.
        count: N.
        seed: of the drawing.
        resolution: R, in pixels.
        workers: processes that draw; one a core by default.

    Raises:
        BadValueError: if there is no such world.
    """
    sample_batch, workers = load_world(world).sample_batch, workers or os.cpu_count() or 1
    probe = sample_batch(8, seed=0, resolution=resolution)
    names = [name for name in _LABELS if hasattr(probe, name)]
    stem = f"{world}-{resolution}px-{count}-seed{seed}-{_version(probe)}"
    image_file, label_file, caption_file = (folder / f"{stem}{suffix}" for suffix in (".npy", ".npz", ".json"))
    if not label_file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shape = (count, 3, resolution, resolution)
        np.lib.format.open_memmap(image_file, mode="w+", dtype=np.uint8, shape=shape)
        labels: dict[str, list[np.ndarray]] = {name: [] for name in names}
        captions: list[tuple[str, ...]] = []
        starts = range(0, count, _CHUNK)
        tasks = [(world, image_file, seed + i, first, min(_CHUNK, count - first)) for i, first in enumerate(starts)]
        alone = workers == 1 or len(tasks) == 1
        with nullcontext() if alone else ProcessPoolExecutor(min(workers, len(tasks))) as pool:
            for done in map(_draw_chunk, tasks) if pool is None else pool.map(_draw_chunk, tasks):
                captions += done.pop("captions", ())
                for name, parts in labels.items():
                    parts.append(done[name])
        if captions:
            caption_file.write_text(json.dumps(captions), "utf-8")
        partial = label_file.with_suffix(".partial.npz")
        np.savez(partial, **{name: np.concatenate(parts) for name, parts in labels.items()})  # type: ignore[arg-type]
        partial.replace(label_file)  # the labels come last: where they are, images and captions are whole
    with np.load(label_file) as file:
        arrays = {name: file[name] for name in names}
    sentences = None
    if hasattr(probe, "captions"):
        sentences = [tuple(several) for several in json.loads(caption_file.read_text("utf-8"))]
    return Labelled(images=np.load(image_file, mmap_mode="r"), captions=sentences, **arrays)


def _draw_chunk(task: tuple[str, Path, int, int, int]) -> dict[str, Any]:
    """Draw pictures into their place in a file; returns their labels."""
    world, image_file, seed, start, count = task
    images = np.lib.format.open_memmap(image_file, mode="r+")
    batch = load_world(world).sample_batch(count, seed=seed, resolution=images.shape[-1])
    images[start : start + count] = batch.images
    images.flush()
    return {name: getattr(batch, name) for name in (*_LABELS, "captions") if hasattr(batch, name)}


def _version(probe: Any) -> str:
    """A mark of the drawing code: drawn otherwise, the same pictures have another mark, so stale files are left."""
    parts = [getattr(probe, name).tobytes() for name in ("images", "attributes", "keypoints") if hasattr(probe, name)]
    if hasattr(probe, "captions"):
        parts.append(json.dumps(probe.captions).encode())
    return hashlib.sha256(b"".join(parts)).hexdigest()[:8]


def augment(
    images: Tensor, keypoints: Tensor | None, *, generator: torch.Generator, tint: float = 1.0, soften: float = 0.0
) -> tuple[Tensor, Tensor | None]:
    """Light distortions that leave every label true. About a third of the pictures keep their geometry.

    Shift (3% of the side), scale (4%) and a coarse wobble (under half a pixel at 64 px) of the picture; brightness,
    contrast, tint and a low-frequency blotch; blur; pixel noise. A small GAN's pictures are soft, wobbly and blotchy.

    Args:
        images: [B, 3, R, R] in [-1, 1].
        keypoints: [B, K, 2] in [0, 1] of the side, which move with shift and scale; or None.
        generator: the randomness.
        tint: strength of brightness, contrast, tint and blotch; below 1 where the labels name shades.
        soften: share of the pictures that are shrunk, to a third of their side at most, enlarged again, and stained.

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
    if keypoints is not None:
        points = ((2 * keypoints - 1) - shift.flatten(1)[:, None]) / scale.flatten(1)[:, None]  # the inverse map
        keypoints = (points + 1) / 2

    # softness: a binomial blur, mixed in by up to all of it
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    weight = torch.outer(kernel, kernel).expand(3, 1, 3, 3)
    blurred = functional.conv2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), weight, groups=3)
    images = torch.lerp(images, blurred, torch.rand(batch, 1, 1, 1, generator=generator) * some(0.5))
    if soften:
        images = _softened(images, round(batch * soften), generator)

    # colour, blotches, noise
    images = images * (1 + uniform(batch, 1, 1, 1, spread=0.12 * tint)) + uniform(batch, 1, 1, 1, spread=0.08 * tint)
    images = images + uniform(batch, 3, 1, 1, spread=0.03 * tint)
    coarse = uniform(batch, 3, 8, 8, spread=0.06 * tint)
    blotches = functional.interpolate(coarse, (side, side), mode="bilinear") * some(0.4)
    noise = torch.randn(images.shape, generator=generator) * torch.rand(batch, 1, 1, 1, generator=generator) * 0.06
    return (images + blotches + noise).clamp(-1, 1), keypoints


def _softened(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Shrinks the first `count` pictures, in four groups, enlarges them again, and stains them; batches have no order.

    Stains are what tells a small GAN's petal from a drawn one: unlearned, they are read as second colours.
    """
    side = images.shape[-1]
    parts = []
    for part in images[:count].chunk(4):
        small = int(torch.randint(side // 3, side + 1, (), generator=generator))
        shrunk = functional.interpolate(part, (small, small), mode="bilinear", antialias=True)
        coarse = torch.randn(len(part), 3, side // 4, side // 4, generator=generator)
        strength = 0.12 * torch.rand(len(part), 1, 1, 1, generator=generator)
        stains = functional.interpolate(coarse, (side, side), mode="bilinear") * strength
        parts.append(functional.interpolate(shrunk, (side, side), mode="bicubic") + stains)
    return torch.cat([*parts, images[count:]])


def evaluate(predictor: nn.Module, pictures: Labelled, meaning: Meaning, *, most: int | None = None) -> dict[str, Any]:
    """Measure a predictor of all attributes, and of the keypoints where there are some, against labels.

    Args:
        predictor: images to c, attributes first; in evaluation mode.
        pictures: the labelled pictures.
        meaning: of the labels.
        most: how many of them to look at.

    Returns:
        `accuracy` (mean over attributes), `accuracies` and `balanced_accuracies` by name (the second is the mean over
        having and not having it, so a rare attribute cannot hide), `group_accuracies` by the names of each exclusive
        group (of the pictures that have one of them, the share where it scores highest), and `pictures`; in a world
        with keypoints also `keypoint_error` and `keypoint_errors` by name (mean Euclidean distance, share of the side).
    """
    names = meaning.attributes
    count = min(len(pictures), most or len(pictures))
    rows = np.arange(count)
    with torch.inference_mode():
        parts = [predictor(pictures.batch(some)[0]) for some in np.array_split(rows, math.ceil(count / 128))]
    _, attributes, _, keypoints = pictures.batch(rows)
    c = torch.cat(parts)
    scores = c[:, : len(names)]
    told = ~attributes.isnan()
    attributes = attributes.nan_to_num(0.0)
    right = ((scores > 0) == (attributes > 0.5)).float()  # [N, A]
    present, absent = attributes * told, (1 - attributes) * told
    accuracies = (right * told).sum(0) / told.sum(0)
    sides = [(right * side).sum(0) / side.sum(0).clamp(min=1) for side in (present, absent)]
    balanced = torch.where(told.any(0), torch.stack(sides).mean(0), torch.nan)
    groups = {}
    for group in meaning.groups:
        columns = [names.index(name) for name in group]
        some = attributes[:, columns].sum(1) > 0
        found = scores[some][:, columns].argmax(1) == attributes[some][:, columns].argmax(1)
        groups[", ".join(group)] = round(float(found.float().mean()), 4) if len(found) else None
    report = {
        "pictures": count,
        "accuracy": round(float(accuracies[told.any(0)].mean()), 5),
        "accuracies": _named(names, accuracies, 4),
        "balanced_accuracies": _named(names, balanced, 4),
        "group_accuracies": groups,
    }
    if keypoints is not None:
        errors = (c[:, len(names) :].unflatten(1, keypoints.shape[1:]) - keypoints).norm(dim=-1)  # [N, K]
        report["keypoint_error"] = round(float(errors.mean()), 6)
        report["keypoint_errors"] = _named(meaning.keypoints, errors.mean(0), 5)
    return report


def _named(names: tuple[str, ...], values: Tensor, digits: int) -> dict[str, float]:
    known = zip(names, values.tolist(), strict=True)
    return {name: round(value, digits) for name, value in known if value == value}  # NaN: nobody can tell
