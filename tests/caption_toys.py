"""Toy captions: a captioner that looks at colours, an embedder that counts words, and a zoo of both."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.predictors import CaptionPredictor
from sgf_hub.predictors.captions.grounding import content
from sgf_hub.training.readers.captions import CaptionsConfig, count_captions, fit_captions
from tests.toys import PlainGenerator, plain_mapping, toy_generator, toy_mapping

COLOURS = ("red", "green", "blue")
VOCABULARY = (
    "small", "large", "red", "green", "blue", "purple", "yellow", "white", "round", "pointed", "flower", "petals",
    "center",
)  # fmt: skip
DIMENSION, COMPONENTS = 48, 4


class WordCounter:
    """An embedder: every word that carries meaning is an axis, and a sentence the sum of its words."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, sentences: Sequence[str]) -> Tensor:
        self.asked += sentences
        return torch.stack([self._embed(sentence) for sentence in sentences])

    def _embed(self, sentence: str) -> Tensor:
        total = torch.zeros(DIMENSION)
        for word in content(sentence):
            known = len(VOCABULARY)
            axis = VOCABULARY.index(word) if word in VOCABULARY else zlib.crc32(word.encode()) % (DIMENSION - known)
            total[axis if word in VOCABULARY else known + axis] += 1
        return torch.nn.functional.normalize(total, dim=0)


def describe(values: Tensor) -> list[str]:
    """Three numbers a picture => size, colour and shape: [B, 3] => B sentences."""
    return [
        f"a {'large' if size > 0 else 'small'} {COLOURS[int(colour > -0.5) + int(colour > 0.5)]} flower with "
        f"{'pointed' if shape > 0 else 'round'} petals"
        for size, colour, shape in values.tolist()
    ]


def pixel_captioner(images: Tensor) -> list[str]:
    """Reads what a `PlainGenerator` writes."""
    return describe(images.flatten(1)[:, :3])


def colour_captioner(images: Tensor) -> list[str]:
    """Reads the mean of each colour, against what those of `toy_generator` are."""
    usual, spread = torch.tensor([-0.06, 0.93, -0.73]), torch.tensor([0.44, 0.08, 0.24])
    return describe((images.mean(dim=(2, 3)) - usual) / spread)


def fitted(
    generator, captioner, *, count: int = 400, components: int = COMPONENTS, name: str = "sgf-hub/toy-captioner"
):
    """A `CaptionPredictor` of a generator's pictures, reading with `captioner`."""
    *_, counts = count_captions(CaptionsConfig(count=count), generator, captioner)
    predictor, _ = fit_captions(counts, WordCounter().embed, captioner=name, components=components)
    predictor.read_with(captioner)
    return predictor


def plain_world(seed: int = 0):
    """Generator, captions and F(z, c) = B c + b, the regression of z on c."""
    generator = PlainGenerator(4)
    predictor = fitted(generator, pixel_captioner)
    z = generator.sample(600, seed=seed + 1, truncation=1.0)
    with_one = torch.cat([predictor(generator.synthesize(z)), torch.ones(600, 1)], dim=1)
    weights = torch.linalg.lstsq(with_one, z.data).solution
    mapping = plain_mapping(lambda z, c: c @ weights[:-1] + weights[-1], _Sized(predictor, 4))
    return generator, predictor, mapping


class _Sized:
    """What `plain_mapping` reads of a predictor: its spec, and D."""

    def __init__(self, predictor: CaptionPredictor, size: int) -> None:
        self.spec, self.matrix = predictor.spec, torch.zeros(1, size)


def write_caption_zoo(root: Path) -> Path:
    """A generator, the captions of its pictures, and a mapping of them; the captioner is no repo: see `describe`."""
    toy_generator().save_pretrained(root / "toy-stylegan2")
    generator = StyleGAN2.from_pretrained(root / "toy-stylegan2")
    predictor = fitted(generator, colour_captioner, count=300)
    predictor.save_pretrained(root / "toy-captions")
    mapping = toy_mapping(predictor=["sgf-hub/toy-captions"], attributes=(), caption=COMPONENTS)
    w = generator.sample(64, seed=0)
    for key, data in (("z", w.data), ("c", predictor(generator.synthesize(w)))):
        getattr(mapping, f"{key}_mean").copy_(data.mean(dim=0))
        getattr(mapping, f"{key}_std").copy_(data.std(dim=0).clamp_min(1e-3))
    mapping.save_pretrained(root / "sgf-toy-captions")
    return root
