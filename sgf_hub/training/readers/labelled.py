"""A generator's pictures with labels that spread from some thousand, given by eye, to as many as a network needs.

A generator's activations say more plainly what it draws than the pixels do: a linear reading of them, fitted to the
pictures that were looked at, labels any number of others. DatasetGAN (Zhang et al., CVPR 2021) labels pixels in that
way; here the activations are pooled, and a label is of the whole picture.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sgf_hub.data.drawn import Labelled
from sgf_hub.data.labels import Labels, latents
from sgf_hub.data.pictures import to_bytes
from sgf_hub.errors import BadValueError
from sgf_hub.types import Generator, Latent, Predictor

_SIDES, _POOLED = (8, 16), 8  # maps that are read, and what they are pooled to, in pixels
_BATCH = 64
_PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of the ridge, in mean squares of a standardised feature
_HINT = 0.05  # weight of an answer of another reader, of that of a whole map
CLEAR = 1.1
"""Half the log-odds of the typical picture that has an attribute, which make p = 0.9: an edit's tolerance."""


@dataclass(frozen=True)
class Spread:
    """A linear reading of activations.

    Args:
        mean: of the features, [D].
        scale: that they are multiplied by, [D].
        weights: [D, A].
        middle: the score of p = 1/2, [A].
        slope: log-odds a score, [A].
        accuracies: share of the labelled pictures that are told right when they are left out, [A].
    """

    mean: Tensor
    scale: Tensor
    weights: Tensor
    middle: Tensor
    slope: Tensor
    accuracies: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """[B, D] => probabilities [B, A]."""
        scores = ((features - self.mean) * self.scale) @ self.weights
        return torch.sigmoid((scores - self.middle) * self.slope)


class Activations:
    """A generator's pictures, and its activations while it draws them.

    Args:
        generator: a module; of its feature maps the last of 8 and of 16 pixels are read.
        hints: readers of pictures whose answers are features too.
    """

    def __init__(self, generator: Generator, hints: Sequence[Predictor] = ()) -> None:
        if not isinstance(generator, nn.Module):
            raise BadValueError("labels spread through a generator's activations: it must be a torch module.")
        self.generator, self.hints = generator, hints

    def __call__(self, latent: Latent) -> tuple[Tensor, list[Tensor]]:
        """Images [B, 3, R, R] and blocks of features, [B, D_i] each.

        Raises:
            BadValueError: if the generator has no feature map of such a side.
        """
        seen: dict[int, Tensor] = {}

        def note(_module: nn.Module, _given: Any, out: Any) -> None:
            if isinstance(out, Tensor) and out.ndim == 4 and out.shape[2] == out.shape[3] and out.shape[2] in _SIDES:
                seen[out.shape[2]] = out

        hooks = [module.register_forward_hook(note) for module in self.generator.modules()]  # type: ignore[attr-defined]
        try:
            with torch.inference_mode():
                images = self.generator.synthesize(latent)
        finally:
            for hook in hooks:
                hook.remove()
        if not seen:
            raise BadValueError(f"the generator has no feature map of {' or '.join(map(str, _SIDES))} px to spread by.")
        pooled = [functional.adaptive_avg_pool2d(seen[side].relu(), _POOLED).flatten(1) for side in sorted(seen)]
        with torch.inference_mode():
            return images, [*pooled, *(hint(images) for hint in self.hints)]


def fit_spread(blocks: Sequence[Tensor], values: np.ndarray, *, hints: int = 0) -> Spread:
    """Ridge regression on standardised features, the penalty of each attribute chosen by leaving pictures out.

    Args:
        blocks: [N, D_i] each; a block counts as much as another, whatever its width.
        values: [N, A] of 1, 0, and NaN.
        hints: how many of the last blocks are answers of other readers, whose every number counts a little.

    Raises:
        BadValueError: if an attribute has fewer than 5 pictures with or without it.
    """
    mean = torch.cat([block.mean(0) for block in blocks])
    maps = len(blocks) - hints
    scale = torch.cat([
        (1.0 / block.shape[1] if i < maps else _HINT) ** 0.5 / (block.std(0) + 1e-6) for i, block in enumerate(blocks)
    ])  # fmt: skip
    x = (torch.cat(list(blocks), dim=1) - mean) * scale
    kernel = (x @ x.T).double()
    answers = torch.from_numpy(values).double()
    duals, middles, slopes, accuracies = [], [], [], []
    for column in answers.T:
        told = ~column.isnan()
        signs = 2 * column[told] - 1
        if min(int((signs > 0).sum()), int((signs < 0).sum())) < 5:
            raise BadValueError("each attribute needs at least 5 pictures that have it, and 5 that have it not.")
        among = kernel[told][:, told]
        dual, left_out = _ridge(among, signs)
        # as many have p > 1/2 as were said to have it, and the typical one of those is clear
        middle = torch.quantile(left_out, 1 - (signs > 0).double().mean())
        slope = 2 * CLEAR / (left_out[signs > 0].median() - middle).clamp_min(0.1)
        accuracies.append(((left_out > middle) == (signs > 0)).double().mean())
        duals.append(torch.zeros(len(column), dtype=torch.double).masked_scatter(told, dual))
        middles.append(middle - signs.mean() + among.mean(0) @ dual)  # the means are not in the scores
        slopes.append(slope)
    weights = x.T @ torch.stack(duals, dim=1).float()
    rest = (torch.stack(one).float() for one in (middles, slopes, accuracies))
    return Spread(mean, scale, weights, *rest)


def _ridge(kernel: Tensor, signs: Tensor) -> tuple[Tensor, Tensor]:
    """Dual weights, and every picture's score when it is left out, of the penalty with which those are best."""
    kernel = kernel - kernel.mean(0) - kernel.mean(1, keepdim=True) + kernel.mean()
    values, vectors = torch.linalg.eigh(kernel)
    centered, best = signs - signs.mean(), None
    for penalty in _PENALTIES:
        inverse = (vectors / (values + penalty)) @ vectors.T
        dual = inverse @ centered
        # the mean is one more weight, without a penalty, that is fitted again when a picture is left out
        left_out = signs - dual / (inverse.diagonal() - 1 / (penalty * len(signs)))
        error = ((left_out - signs) ** 2).mean()
        if best is None or error < best[0]:
            best = (error, dual, left_out)
    assert best is not None
    return best[1], best[2]


def spread_labels(
    generator: Generator, labels: Labels, folder: Path, count: int, *, seed: int, hints: Sequence[Predictor] = ()
) -> tuple[Labelled, dict[str, float]]:
    """A generator's pictures with spread labels, sampled once and read from `folder` ever after.

    Args:
        generator: whose pictures.
        labels: given by eye.
        folder: where the arrays are kept; the files' names tell the arguments.
        count: N.
        seed: of the latents.
        hints: readers whose answers help.

    Returns:
        Pictures, the probabilities of their attributes, and their standardised latents as causes; and how many of the
        labelled pictures are told right, by attribute, each from the others.

    Raises:
        BadValueError: if the labels do not suffice, or the generator has no activations to read.
    """
    if not len(labels):
        raise BadValueError("there are no labels to spread: all that there are were given again, and are held out.")
    folder.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode():
        example = generator.synthesize(generator.sample(1, seed=0))
    mark = hashlib.sha256(labels.values.tobytes() + labels.seeds.tobytes() + repr(labels.attributes).encode())
    mark.update(to_bytes(example).numpy().tobytes())  # which generator it is
    stem = f"labelled-{generator.resolution}px-{count}-seed{seed}-{len(hints)}-{mark.hexdigest()[:8]}"
    image_file, label_file = folder / f"{stem}.npy", folder / f"{stem}.npz"
    if not label_file.is_file():
        read = Activations(generator, hints)
        parts = [read(latents(generator, some))[1] for some in np.array_split(labels.seeds, -(-len(labels) // _BATCH))]
        fitted = fit_spread([torch.cat(block) for block in zip(*parts, strict=True)], labels.values, hints=len(hints))
        sampled = generator.sample(count, seed=seed)
        shape = (count, 3, generator.resolution, generator.resolution)
        images = np.lib.format.open_memmap(image_file, mode="w+", dtype=np.uint8, shape=shape)
        found = []
        for start in range(0, count, _BATCH):
            pictures, blocks = read(Latent(sampled.data[start : start + _BATCH], sampled.space))
            images[start : start + _BATCH] = to_bytes(pictures).numpy()
            found.append(fitted(torch.cat(blocks, dim=1)))
        images.flush()
        z = sampled.data.flatten(1)
        causes = ((z - z.mean(0)) / z.std(0)).numpy()
        partial = label_file.with_suffix(".partial.npz")
        np.savez(partial, attributes=torch.cat(found).numpy(), causes=causes, accuracies=fitted.accuracies.numpy())
        partial.replace(label_file)  # the labels come last: where they are, the images are whole
    with np.load(label_file) as file:
        attributes, causes, accuracies = (file[name] for name in ("attributes", "causes", "accuracies"))
    told = {name: round(float(one), 4) for name, one in zip(labels.attributes, accuracies, strict=True)}
    return Labelled(images=np.load(image_file, mmap_mode="r"), attributes=attributes, causes=causes), told


def labelled_pictures(generator: Generator, labels: Labels) -> Labelled:
    """The pictures that were labelled by eye, as they were."""
    parts = np.array_split(labels.seeds, -(-len(labels) // _BATCH))
    with torch.inference_mode():
        images = torch.cat([generator.synthesize(latents(generator, some)) for some in parts])
    return Labelled(images=to_bytes(images).numpy(), attributes=labels.values)
