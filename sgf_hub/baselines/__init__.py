"""The methods that SGF is compared with, as editors like it: the paper's (Section 4.1), what it argues against, and two
of the same year, LACE and StyleSpace.

`baseline` gives one by its name in METHODS, fitted where it needs to be. Fitting takes scikit-learn; editing does not.
A direction that somebody else found is an editor, too: `DirectionEditor.read`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from sgf_hub.baselines.boundaries import Boundaries, fit_boundaries
from sgf_hub.baselines.channels import StyleChannels, fit_channels
from sgf_hub.baselines.choices import choose
from sgf_hub.baselines.classifiers import LatentClassifiers, fit_classifiers
from sgf_hub.baselines.components import Choice, Components, fit_components
from sgf_hub.baselines.direction import DirectionEditor
from sgf_hub.baselines.fitted import Fitted
from sgf_hub.baselines.ganspace import GANSpaceEditor
from sgf_hub.baselines.interfacegan import InterFaceGANEditor
from sgf_hub.baselines.lace import LACEEditor, choose_settings
from sgf_hub.baselines.latent_descent import LatentDescentEditor
from sgf_hub.baselines.stylespace import StyleSpaceEditor
from sgf_hub.data.pairs import Pairs
from sgf_hub.editing.config import EditConfig
from sgf_hub.editing.trajectory import Editor
from sgf_hub.errors import BadValueError
from sgf_hub.hub import names as zoo
from sgf_hub.hub.files import CONFIG
from sgf_hub.types import Generator, Latent, Predictor
from sgf_hub.validation import short

METHODS = ("interfacegan", "interfacegan-conditional", "ganspace", "lace", "stylespace", "latent-descent")
FITTED: dict[str, type[Fitted]] = {
    "interfacegan": Boundaries,
    "ganspace": Components,
    "lace": LatentClassifiers,
    "stylespace": StyleChannels,
}


class Baseline(Editor, Protocol):
    """An editor that knows how far its curve of strengths goes."""

    sweep: EditConfig
    """Equal steps from nothing until accuracy no longer grows; no sample stops before the last."""

    @property
    def step_size(self) -> float:
        """Of its steps, in units of its own."""
        ...


def baseline(
    method: str,
    generator: Generator,
    predictor: Predictor,
    *,
    generator_name: str,
    pairs: Callable[[], Pairs],
    fitted: str | Path | None = None,
    seed: int = 0,
) -> Baseline:
    """The editor of a method.

    Args:
        method: one of METHODS.
        generator: G.
        predictor: C.
        generator_name: G's repo.
        pairs: gives pairs of G and C to fit on; called if nothing fitted is found.
        fitted: a folder of fitted repos, looked into before the embedded zoo; what is fitted is saved there.
        seed: of the fit.

    Raises:
        BadValueError: if there is no such method, or the generator has no styles for it, or the pairs are of another
            generator.
    """
    check_method(method, generator, generator_name)
    if method == "latent-descent":
        return LatentDescentEditor(generator, predictor)
    kind = method.removesuffix("-conditional")
    name = fitted_name(generator_name, kind)
    found = [folder / name for folder in (fitted and Path(fitted), zoo.root()) if folder]
    folder = next((folder for folder in found if (folder / CONFIG).is_file()), None)
    if folder is not None:
        directions = FITTED[kind].from_pretrained(folder)
    else:
        directions = fit(kind, generator, predictor, pairs(), generator_name=generator_name, seed=seed)
        if fitted is not None:
            directions.save_pretrained(Path(fitted) / name)
    if isinstance(directions, Components):
        return GANSpaceEditor(generator, predictor, directions)
    if isinstance(directions, LatentClassifiers):
        return LACEEditor(generator, predictor, directions)
    if isinstance(directions, StyleChannels):
        return StyleSpaceEditor(generator, predictor, directions)
    assert isinstance(directions, Boundaries)
    return InterFaceGANEditor(generator, predictor, directions, conditions="all" if method != kind else ())


def check_method(method: str, generator: Generator, generator_name: str) -> None:
    """Raise a BadValueError if there is no such method, or it cannot edit the generator's latents."""
    if method not in METHODS:
        raise BadValueError(f"the method is {short(method)}; choose {' or '.join(map(repr, METHODS))}.")
    if not suits(method, generator):
        raise BadValueError(f"{method!r} moves the styles of a StyleGAN2, and {generator_name} has none: leave it out.")


def suits(method: str, generator: Generator) -> bool:
    """Whether a method can edit a generator's latents: StyleSpace's are styles."""
    return method != "stylespace" or hasattr(generator, "to_s")


def fitted_name(generator: str, kind: str) -> str:
    """The zoo entry of what is fitted for a generator: "avatars-stylegan2-interfacegan"."""
    return f"{generator.rsplit('/', 1)[-1]}-{kind}"


def fit(
    kind: str, generator: Generator, predictor: Predictor, pairs: Pairs, *, generator_name: str, seed: int = 0
) -> Fitted:
    """Fit what a method of FITTED needs on pairs.

    Raises:
        BadValueError: if the pairs are of another generator, lack an attribute of the predictor, or were sampled
            before one of the two was trained anew.
    """
    of = pairs.info.generator
    if of.rsplit("/", 1)[-1] != generator_name.rsplit("/", 1)[-1]:
        raise BadValueError(f"these pairs are of {of}, not of {generator_name}: sample pairs of that.")
    missing = [name for name in predictor.spec.attributes if name not in pairs.info.spec.attributes]
    if missing:
        raise BadValueError(f"these pairs say nothing of {', '.join(missing)}: sample pairs with this predictor.")
    if not _agree(generator, predictor, pairs):
        raise BadValueError(
            f"these pairs were sampled with other weights than {generator_name} has: sample them again."
        )
    if kind == "interfacegan":
        return fit_boundaries(pairs, seed=seed)
    if kind == "lace":
        return choose_settings(generator, predictor, fit_classifiers(pairs, seed=seed), pairs, seed=seed)
    if kind == "stylespace":
        return fit_channels(generator, predictor, pairs, seed=seed)
    components = fit_components(generator, pairs, seed=seed)
    return components.with_choices(choose(generator, predictor, components, pairs, seed=seed))


@torch.inference_mode()
def _agree(generator: Generator, predictor: Predictor, pairs: Pairs) -> bool:
    """Whether c = C(G(z)) still holds, for a few of the pairs; devices may differ in the last digits."""
    some, spec = slice(0, 8), pairs.info.spec
    columns = [spec.attributes.index(name) for name in predictor.spec.attributes]
    seen = predictor.spec.scores(predictor(generator.synthesize(Latent(pairs.z[some], pairs.info.space))))
    return bool((seen - spec.scores(pairs.c[some])[:, columns]).abs().mean() < 0.05)


__all__ = [
    "FITTED",
    "METHODS",
    "Baseline",
    "Boundaries",
    "Choice",
    "Components",
    "DirectionEditor",
    "GANSpaceEditor",
    "InterFaceGANEditor",
    "LACEEditor",
    "LatentClassifiers",
    "LatentDescentEditor",
    "StyleChannels",
    "StyleSpaceEditor",
    "baseline",
    "check_method",
    "choose",
    "fit",
    "fit_boundaries",
    "fit_channels",
    "fit_classifiers",
    "fit_components",
    "fitted_name",
    "suits",
]
